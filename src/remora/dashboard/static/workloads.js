// Ages, reading a manifest from a file, and following a log. What comes from outside becomes text nodes, never HTML.
"use strict";

(() => {
  // An age as kubectl prints it.
  const age = (seconds) => {
    const s = Math.max(0, Math.floor(seconds));
    if (s < 120) return s + "s";
    const m = Math.floor(s / 60);
    if (m < 10) return m + "m" + (s % 60 ? (s % 60) + "s" : "");
    if (m < 180) return m + "m";
    const h = Math.floor(m / 60);
    if (h < 8) return h + "h" + (m % 60 ? (m % 60) + "m" : "");
    if (h < 48) return h + "h";
    const d = Math.floor(h / 24);
    if (d < 8) return d + "d" + (h % 24 ? (h % 24) + "h" : "");
    if (d < 730) return d + "d";
    return Math.floor(d / 365) + "y";
  };
  const ages = () => {
    for (const time of document.querySelectorAll("time[data-age]")) {
      const began = Date.parse(time.dateTime);
      if (Number.isNaN(began)) continue;
      const text = age((Date.now() - began) / 1000);
      if (time.textContent !== text) time.textContent = text;
      if (!time.title) time.title = time.dateTime;
    }
  };
  ages();
  setInterval(ages, 5000);
  document.addEventListener("remora:changed", ages);

  for (const one of document.querySelectorAll("[data-needs-script]")) one.hidden = false;

  for (const input of document.querySelectorAll("[data-reads-into]")) {
    const area = document.getElementById(input.dataset.readsInto);
    input.addEventListener("change", async () => {
      if (!input.files.length) return;
      area.value = await input.files[0].text();
      area.focus();
    });
    area.addEventListener("dragover", (event) => event.preventDefault());
    area.addEventListener("drop", async (event) => {
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      area.value = await event.dataTransfer.files[0].text();
    });
  }

  // What is applied is what was checked: an edited manifest is checked again.
  const manifest = document.getElementById("manifest");
  const applied = document.getElementById("apply");
  if (manifest && applied) {
    manifest.addEventListener("input", () => {
      applied.disabled = true;
      document.getElementById("check").classList.add("primary");
    });
  }

  const log = document.getElementById("log");
  if (!log) return;
  const state = document.getElementById("log-state");
  const trouble = document.getElementById("log-trouble");
  const count = document.getElementById("log-count");
  const words = document.getElementById("words");
  const pause = document.getElementById("pause");
  const times = document.getElementById("times");
  const most = Number(log.dataset.most);
  let waiting = [];
  let paused = false;

  const say = (text, bad) => {
    state.hidden = false;
    state.textContent = text;
    state.classList.toggle("bad", Boolean(bad));
  };
  const complain = (text) => {
    trouble.textContent = text;
    trouble.hidden = !text;
  };
  const fits = (text) => text.toLowerCase().includes(words.value.toLowerCase());
  const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const tell = () => {
    const all = log.children.length;
    const shown = log.querySelectorAll(".entry:not([hidden])").length;
    const more = waiting.length ? ", " + waiting.length + " more while paused" : "";
    count.textContent = (shown === all ? all : shown + " of " + all) + (all === 1 ? " line" : " lines") + more;
  };
  const add = (lines) => {
    const follows = atEnd();
    const made = document.createDocumentFragment();
    for (const [at, text] of lines) {
      const entry = document.createElement("div");
      entry.className = "entry";
      entry.hidden = !fits(text);
      const time = document.createElement("time");
      time.textContent = at;
      entry.append(time, text);
      made.append(entry);
    }
    log.append(made);
    while (log.children.length > most) log.firstElementChild.remove();
    if (follows) log.scrollTop = log.scrollHeight;
    tell();
  };

  words.addEventListener("input", () => {
    for (const entry of log.querySelectorAll(".entry")) entry.hidden = !fits(entry.lastChild.nodeType === 3 ? entry.lastChild.data : "");
    tell();
  });
  times.addEventListener("change", () => log.classList.toggle("timed", times.checked));
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause";
    if (!paused) {
      const lines = waiting;
      waiting = [];
      add(lines);
    }
    say(paused ? "paused" : "following");
  });
  const choice = document.getElementById("log-choice");
  for (const name of ["container", "previous", "lines"]) choice.elements[name].addEventListener("change", () => choice.requestSubmit());

  const query = new URLSearchParams({ container: log.dataset.container, lines: log.dataset.lines, previous: log.dataset.previous });
  const source = new EventSource(log.dataset.stream + "?" + query);
  let begun = false;
  source.addEventListener("open", () => say(paused ? "paused" : "following"));
  source.addEventListener("lines", (event) => {
    complain("");
    const lines = JSON.parse(event.data);
    if (!begun) log.replaceChildren();
    begun = true;
    if (paused) {
      waiting = waiting.concat(lines).slice(-most);
      tell();
    } else add(lines);
  });
  source.addEventListener("ended", () => {
    say(log.dataset.previous ? "all of it" : "ended; goes on if the container restarts");
    if (log.dataset.previous) source.close();
  });
  source.addEventListener("trouble", (event) => complain(JSON.parse(event.data)[0][1]));
  source.addEventListener("gone", (event) => {
    source.close();
    say("ended", true);
    complain(JSON.parse(event.data)[0][1]);
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CONNECTING && !state.textContent.startsWith("ended")) say("reconnecting");
  });
  log.scrollTop = log.scrollHeight;
})();
