// Keeps the live parts of a page as the server renders them. What arrives is HTML that the server has made and escaped; nothing
// is put together from text here.
"use strict";

(() => {
  const page = document.body.dataset.live;
  const liveness = document.getElementById("liveness");
  let source = null;

  const say = (text, trouble) => {
    if (!liveness || liveness.textContent === text) return;
    liveness.textContent = text;
    liveness.classList.toggle("bad", Boolean(trouble));
    liveness.title = trouble || "";
  };

  const element = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content.firstElementChild;
  };

  // Focus, and whether a <details> is open, belong to the person, not to the server.
  const carry = (from, to) => {
    if (from.matches("details[open]")) to.open = true;
    for (const details of from.querySelectorAll("details[open][id]")) {
      const same = to.querySelector("#" + CSS.escape(details.id));
      if (same) same.open = true;
    }
  };

  const place = (id, html) => {
    const old = document.getElementById(id);
    const made = old && element(html);
    if (!made) return;
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    carry(old, made);
    old.replaceWith(made);
    const again = focused && focused.id && document.getElementById(focused.id);
    if (again) again.focus({ preventScroll: true });
  };

  const order = (id, ids, fresh) => {
    const parent = document.getElementById(id);
    if (!parent) return;
    const children = new Map([...parent.children].map((child) => [child.id, child]));
    for (const made of fresh.map(element)) children.set(made.id, made);
    const wanted = new Set(ids);
    for (const child of [...parent.children]) if (!wanted.has(child.id)) child.remove();
    let next = parent.firstElementChild;
    for (const one of ids) {
      const child = children.get(one);
      if (!child) continue;
      if (child === next) next = next.nextElementSibling;
      else parent.insertBefore(child, next);
    }
  };

  const apply = (changes) => {
    for (const [id, second, third] of changes) {
      if (third === undefined) place(id, second);
      else order(id, second, third);
    }
    document.dispatchEvent(new CustomEvent("remora:changed"));
  };

  // What the server shows as trouble is no live picture, however well this page is connected.
  const tell = () => {
    const trouble = document.querySelector("#notes .bad, #unknown .bad");
    if (trouble) say("out of date", trouble.textContent);
    else say("live");
  };

  const follow = () => {
    if (source) source.close();
    const query = new URLSearchParams(location.search);
    query.set("page", page);
    source = new EventSource("/events?" + query);
    source.addEventListener("open", tell);
    source.addEventListener("changes", (event) => {
      apply(JSON.parse(event.data));
      tell();
    });
    source.addEventListener("trouble", (event) => say("no answer", event.data));
    source.addEventListener("reload", () => {
      source.close();
      location.reload();
    });
    source.addEventListener("error", () => say("reconnecting"));
  };

  if (page) {
    follow();
    // Nobody looks at a page in the background; it shows the present as soon as somebody does.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        source.close();
        say("paused");
      } else follow();
    });
  }

  // A form that only chooses what is shown: without this script its button does it.
  for (const form of document.querySelectorAll("form[data-filter]")) {
    let timer = 0;
    const choose = () => {
      const query = new URLSearchParams(new FormData(form));
      history.replaceState(null, "", "?" + query);
      follow();
    };
    form.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(choose, 250);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(timer);
      choose();
    });
  }

  // A button that cannot be taken back asks first.
  document.addEventListener("submit", (event) => {
    const question = event.submitter && event.submitter.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });

  document.addEventListener("keydown", (event) => {
    const box = document.querySelector("input[type=search]");
    if (event.key !== "/" || !box || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, textarea, select")) return;
    event.preventDefault();
    box.focus();
  });
})();
