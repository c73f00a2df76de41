// The page's half of every panel (the other is live.py): it draws what Python rendered, region by region, and sends
// back what the reader does. It knows nothing of questions, hits or files; a panel is all in its regions' markup:
//
//   <button data-mm-act="select" data-mm-target="3">     a click sends {act, target}
//   <form data-mm-act="ask">                             a submit sends {act, values: its named inputs}
//   <select name="strategy" data-mm-act="set">           a change sends {act, values: {strategy}}
//   <ul data-mm-roving>, data-mm-roving="grid"           arrow keys, Home and End move between its buttons
//   <div data-mm-drop="files"><input type="file">        files come in by drop or by the input, in chunks

const CHUNK = 1_000_000; // bytes; Jupyter's server drops the connection at messages over 10 MB
const PATIENCE = 150; // milliseconds before "waiting for the kernel…" is said, so that what is quick does not flicker
const LONG = 10_000; // milliseconds after which a kernel that has not said anything may be gone

/** Make the children of `from` equal to those of `to`, keeping every element that can stay: with it stay focus,
 *  selection, scroll, what was typed, and a sound that plays. */
function morph(from, to) {
  const wanted = [...to.childNodes];
  const keyed = new Map([...from.children].filter((c) => c.dataset.mmKey).map((c) => [c.dataset.mmKey, c]));
  wanted.forEach((next, i) => {
    const held = next.dataset?.mmKey && keyed.get(next.dataset.mmKey);
    if (held && held !== from.childNodes[i]) from.insertBefore(held, from.childNodes[i]);
    const now = from.childNodes[i];
    if (!now) from.append(next);
    else if (now.nodeName !== next.nodeName || now.dataset?.mmKey !== next.dataset?.mmKey) now.replaceWith(next);
    else if (now.nodeType === Node.ELEMENT_NODE) {
      attributes(now, next);
      morph(now, next);
    } else if (now.nodeValue !== next.nodeValue) now.nodeValue = next.nodeValue;
  });
  while (from.childNodes.length > wanted.length) from.lastChild.remove();
}

function attributes(now, next) {
  // opened by the reader, or made a list's one tab stop here: not Python's
  const ours = (name) => (name === "open" && now.nodeName === "DETAILS") || (name === "tabindex" && now.nodeName === "BUTTON");
  const { defaultChecked, defaultSelected } = now;
  for (const { name } of [...now.attributes]) if (!next.hasAttribute(name) && !ours(name)) now.removeAttribute(name);
  for (const { name, value } of next.attributes) {
    if (now.getAttribute(name) === value || ours(name)) continue;
    now.setAttribute(name, value);
    if (name === "value") now.value = value; // else the typed value hides the attribute
  }
  if (defaultChecked !== next.defaultChecked) now.checked = next.defaultChecked;
  if (defaultSelected !== next.defaultSelected) now.selected = next.defaultSelected;
}

/** The values of a form's or of one control's named inputs: text, true/false, or a list where a name is repeated. */
function values(controls) {
  const found = {};
  for (const one of controls) {
    if (!one.name || one.disabled || one.type === "file" || (one.type === "radio" && !one.checked)) continue;
    const value = one.type === "checkbox" && !one.hasAttribute("value") ? one.checked : one.value;
    if (one.type !== "checkbox" || !one.hasAttribute("value")) found[one.name] = value;
    else found[one.name] = [...(found[one.name] ?? []), ...(one.checked ? [value] : [])];
  }
  return found;
}

/** Give a control back the value that Python rendered. */
function restore(one) {
  if (one.type === "checkbox" || one.type === "radio") one.checked = one.defaultChecked;
  else if (one.nodeName === "SELECT") for (const option of one.options) option.selected = option.defaultSelected;
  else one.value = one.defaultValue;
}

const stops = (list) => [...list.querySelectorAll("button[data-mm-act]:not(:disabled)")];

/** One stop of a list in the tab order: the one in use, else the chosen one, else the one before, else the first. */
function rove(list, to) {
  const all = stops(list);
  const one =
    to ??
    all.find((s) => s === document.activeElement) ??
    all.find((s) => s.getAttribute("aria-pressed") === "true") ??
    all.find((s) => s.tabIndex === 0) ??
    all[0];
  for (const stop of all) stop.tabIndex = stop === one ? 0 : -1;
}

/** Where an arrow key leads from `here`; in a grid, up and down go to the nearest of the next row. */
function towards(key, here, list) {
  const all = stops(list);
  const at = all.indexOf(here);
  if (key === "Home" || key === "End") return all.at(key === "Home" ? 0 : -1);
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key];
  if (!step) return undefined;
  if (list.dataset.mmRoving !== "grid" || key === "ArrowLeft" || key === "ArrowRight") return all[at + step];
  const box = here.getBoundingClientRect();
  const off = (s) => (s.getBoundingClientRect().top - box.top) * step;
  const row = Math.min(...all.map(off).filter((d) => d > 4));
  const near = (s) => Math.abs(s.getBoundingClientRect().left - box.left);
  return all.filter((s) => Math.abs(off(s) - row) < 4).sort((a, b) => near(a) - near(b))[0];
}

/** What Tab stops at, in order. */
const reachable = (root) =>
  [...root.querySelectorAll("a[href], audio, button, input, select, summary, [tabindex]")].filter(
    (one) => one.tabIndex >= 0 && !one.disabled,
  );

function render({ model, el }) {
  const view = Math.random().toString(36).slice(2);
  const pending = new Map(); // message number to what waits for it
  let count = 0;
  let later; // the timer of what is about to be said

  const make = (name, parent) => parent.appendChild(document.createElement(name));
  const root = make("section", el);
  const style = make("style", root);
  const first = make("div", root); // the first region: what the reader acts on
  const status = make("p", root); // and so how it stands is told right below
  const rest = make("div", root);
  root.className = `mmrag mm-live ${model.get("twin")} mathjax_ignore`;
  root.setAttribute("aria-label", model.get("label"));
  root.tabIndex = -1;
  status.className = "mm-status";
  status.setAttribute("role", "status");
  status.setAttribute("aria-live", "polite");

  const hide = document.createElement("style"); // the picture of the panel, in the next output, while the panel lives
  hide.textContent = `.mm-still.${model.get("twin")} {display:none}`;

  // -- drawing ---------------------------------------------------------------------------------------------------

  const drawn = new Map();
  function draw() {
    style.textContent = model.get("look");
    const regions = { ...model.get("regions"), ...model.get("growing") };
    const names = Object.keys(regions);
    const held = root.contains(document.activeElement) ? document.activeElement : null;
    const list = held?.closest("[data-mm-roving]");
    const at = held && (list ? stops(list) : reachable(root)).indexOf(held);
    for (const one of [...first.children, ...rest.children]) if (!names.includes(one.dataset.mmRegion)) one.remove();
    names.forEach((name, i) => {
      const [place, before] = i ? [rest, rest.children[i - 1]] : [first, first.firstChild];
      let region = [...first.children, ...rest.children].find((one) => one.dataset.mmRegion === name);
      if (!region) {
        region = document.createElement("div");
        region.dataset.mmRegion = name;
        drawn.delete(name);
      }
      if (before !== region) place.insertBefore(region, before ?? null);
      if (drawn.get(name) === regions[name]) return;
      drawn.set(name, regions[name]);
      const template = document.createElement("template");
      template.innerHTML = regions[name]; // rendered, and escaped, by live.py's panels
      morph(region, template.content);
    });
    choose();
    if (held && (!held.isConnected || held.disabled)) {
      // it is gone with what it did: go on from what stands in its place, not from the page's begin
      const within = list?.isConnected && stops(list).length > 0;
      const now = within ? stops(list) : reachable(root);
      const next = now[Math.min(Math.max(at, 0), now.length - 1)] ?? root;
      if (within) rove(list, next);
      next.focus({ preventScroll: true });
    }
  }

  function choose() {
    for (const [act, target] of Object.entries(model.get("chosen")))
      for (const one of root.querySelectorAll(`[data-mm-act="${CSS.escape(act)}"][data-mm-target]`)) {
        const is = one.dataset.mmTarget === target;
        if (one.nodeName === "BUTTON") one.setAttribute("aria-pressed", is);
        one.closest("[data-mm-one]")?.classList.toggle("mm-chosen", is);
      }
    root.querySelectorAll("[data-mm-roving]").forEach((list) => rove(list));
  }

  function tell() {
    const [busy, text] = [model.get("busy"), model.get("status")];
    const waiting = pending.size ? "waiting for the kernel…" : null;
    root.setAttribute("aria-busy", busy || waiting !== null);
    status.classList.toggle("mm-failed", model.get("failed"));
    const said = busy ? text || "working…" : (waiting ?? text);
    clearTimeout(later);
    later = setTimeout(
      () => {
        status.textContent = said;
        if (!busy && waiting) later = setTimeout(() => (status.textContent += " it may be busy, or gone"), LONG);
      },
      busy || waiting ? PATIENCE : 0,
    );
  }

  // -- sending ---------------------------------------------------------------------------------------------------

  /** Send a message; the promise is kept when Python is through with it: true where that went well, false where not; at once,
   *  and nothing, where the same is on its way. */
  function send(message, buffers) {
    const same = JSON.stringify(message);
    if (!buffers && [...pending.values()].some((one) => one.same === same)) return Promise.resolve();
    const n = `${view}-${count++}`;
    const reply = new Promise((done) => pending.set(n, { same, done }));
    model.send({ ...message, n }, undefined, buffers);
    tell();
    return reply;
  }

  function replied(message) {
    if (!pending.has(message.done)) return;
    pending.get(message.done).done(message.ok);
    pending.delete(message.done);
    tell();
  }

  /** A panel comes to life only when a kernel answers: until then, and after it is gone, its picture stands. */
  async function greet() {
    await send({ act: "" });
    root.dataset.mmState = "live";
    document.head.append(hide);
  }

  function gone() {
    root.dataset.mmState = "gone";
    hide.remove();
  }

  async function upload(act, files) {
    const id = `${view}-${count++}`;
    for (const [index, file] of [...files].entries())
      for (let offset = 0; offset === 0 || offset < file.size; offset += CHUNK) {
        const part = { upload: id, index, name: file.name, size: file.size, offset };
        const chunk = await file.slice(offset, offset + CHUNK).arrayBuffer();
        if (!(await send({ act, part }, [chunk]))) return;
      }
    if (files.length) await send({ act, part: { upload: id, end: true } });
  }

  // -- what the reader does --------------------------------------------------------------------------------------

  const acting = (event) => event.target.closest?.("[data-mm-act]");
  const message = (one, controls) => ({
    act: one.dataset.mmAct,
    ...(one.dataset.mmTarget === undefined ? {} : { target: one.dataset.mmTarget }),
    values: values(controls),
  });

  root.addEventListener("click", (event) => {
    const one = acting(event);
    if (!one || one.matches("form, select, input, textarea")) return;
    const inner = event.target.closest("a, audio, summary, input, select, label, button");
    if (inner !== one && one.contains(inner)) return; // it does what it is for
    if (inner !== one && getSelection().type === "Range") return; // text was selected, not clicked
    if (one.closest("[data-mm-roving]")) rove(one.closest("[data-mm-roving]"), one);
    send(message(one, []));
  });
  root.addEventListener("submit", (event) => {
    event.preventDefault();
    if (acting(event)) send(message(acting(event), event.target.elements));
  });
  root.addEventListener("change", (event) => {
    const drop = event.target.closest("[data-mm-drop]");
    if (drop && event.target.type === "file") {
      upload(drop.dataset.mmDrop, [...event.target.files]);
      event.target.value = ""; // so that the same file can be chosen again
    } else if (event.target.dataset.mmAct) {
      const one = event.target;
      send(message(one, [one])).then((ok) => ok === false && restore(one)); // what was refused is not shown as done
    }
  });
  root.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing && event.target.matches("input:not([type=checkbox], [type=file])")) {
      event.preventDefault(); // JupyterLab keeps Enter from submitting a form within a notebook
      event.target.form?.requestSubmit();
    }
    const list = event.target.closest("[data-mm-roving]");
    if (!list || event.ctrlKey || event.metaKey || event.altKey || !event.target.dataset.mmAct) return;
    const next = towards(event.key, event.target, list);
    if (!next) return;
    event.preventDefault();
    rove(list, next);
    next.focus();
  });
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"])
    root.addEventListener(kind, (event) => {
      const drop = event.target.closest?.("[data-mm-drop]");
      if (!drop || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.stopPropagation();
      drop.classList.toggle("mm-over", kind === "dragenter" || kind === "dragover");
      if (kind === "drop") upload(drop.dataset.mmDrop, [...event.dataTransfer.files]);
    });
  // JupyterLab takes single keys for commands (d d deletes the cell) before the page sees them, except from an element
  // with this attribute; with Ctrl or Cmd they stay commands, so that saving works from within a panel.
  const shield = ({ target, key, ctrlKey, metaKey }) => {
    if (root.contains(target))
      target.toggleAttribute("data-lm-suppress-shortcuts", key === "Enter" || !(ctrlKey || metaKey));
  };
  window.addEventListener("keydown", shield, true);

  // -- life ------------------------------------------------------------------------------------------------------

  const heard = { "change:regions": draw, "change:growing": draw, "change:look": draw, "change:chosen": choose, "msg:custom": replied };
  for (const name of ["status", "failed", "busy"]) heard[`change:${name}`] = tell;
  heard.comm_live_update = gone;
  for (const [name, callback] of Object.entries(heard)) model.on(name, callback);
  draw();
  tell();
  greet();
  return () => {
    for (const [name, callback] of Object.entries(heard)) model.off(name, callback);
    window.removeEventListener("keydown", shield, true);
    hide.remove();
  };
}

export default { render };
