// Times in the viewer's zone, and numbers that follow by themselves. Every page works without this.
(() => {
  "use strict";

  const format = new Intl.DateTimeFormat(document.documentElement.lang, {
    year: "numeric", month: "2-digit", day: "2-digit",
    hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
  });

  function localize(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) {
        time.title = time.dateTime;
        time.textContent = format.format(at);
      }
    }
  }

  function put(element, text) {
    if (element.textContent === text) return;
    element.textContent = text;
    element.classList.remove("changed");
    void element.offsetWidth;
    element.classList.add("changed");
  }

  const state = document.querySelector("[data-live-state]");
  function say(word) {
    const text = state.dataset[word];
    if (state.hidden || state.textContent !== text) {
      state.hidden = false;
      state.textContent = text;
    }
  }

  // A part of a page with `data-refresh` (in seconds) and an id is fetched anew with its page while somebody looks.
  async function refresh(part) {
    if (document.hidden || part.contains(document.activeElement)) return;
    try {
      const answer = await fetch(location.href, { headers: { "x-refresh": "1" }, redirect: "error" });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(part.id);
      if (fresh) {
        localize(fresh);
        for (const open of part.querySelectorAll("details[open][id]")) {
          fresh.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
        }
        if (part.innerHTML !== fresh.innerHTML) part.replaceChildren(...fresh.childNodes);
      }
    } catch {
      // The stream says that the connection is lost; the next turn tries again.
    }
  }

  function follow() {
    const source = new EventSource("/dashboard/live");
    source.addEventListener("open", () => say("liveOn"));
    source.addEventListener("live", (event) => {
      const told = JSON.parse(event.data);
      for (const element of document.querySelectorAll("[data-live]")) {
        const text = told.values[element.dataset.live];
        if (text !== undefined) put(element, text);
      }
      for (const time of document.querySelectorAll("[data-live-at] time")) {
        time.dateTime = told.at;
        time.textContent = format.format(new Date(told.at));
      }
    });
    source.addEventListener("error", () => say(source.readyState === EventSource.CLOSED ? "liveEnded" : "liveOff"));
    addEventListener("pagehide", () => source.close());
  }

  localize(document);
  if (document.querySelector("[data-live], [data-refresh]")) follow();
  for (const part of document.querySelectorAll("[data-refresh][id]")) {
    setInterval(refresh, Math.max(2, Number(part.dataset.refresh)) * 1000, part);
  }
})();
