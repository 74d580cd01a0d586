/**
 * Page changes without leaving the page: htmx swaps the main element, the player outside of it plays on.
 * Here: what htmx leaves to us, that is focus, scrolling, the current link, and pages that cannot be had.
 */

const SLOW = 250;

export function bindNavigation({ entered, failed }) {
  let timer = null;
  const on = (type, act) => document.addEventListener(`htmx:${type}`, act);
  const waiting = (busy) => {
    clearTimeout(timer);
    if (busy) timer = setTimeout(() => document.documentElement.classList.add("turning"), SLOW);
    else document.documentElement.classList.remove("turning");
  };
  on("before:request", () => waiting(true));
  on("finally:request", () => waiting(false));
  on("error", () => failed());

  on("before:swap", (event) => {
    const { ctx, tasks } = event.detail;
    const page = tasks.find((task) => task.type === "main");
    if (page && !page.fragment.querySelector("#main")) {
      // Not one of our pages (a proxy's, a debugger's): show it as it is.
      event.preventDefault();
      location.assign(ctx.response.raw.url);
    }
  });

  on("after:swap", (event) => {
    const main = document.getElementById("main");
    if (!event.detail.ctx.select || !main) return;
    const restored = event.detail.ctx.request?.headers?.["HX-History-Restore-Request"];
    entered(main, { from: event.detail.ctx.sourceElement });
    if (!restored) globalThis.scrollTo(0, 0);
    focusOn(main, { preventScroll: Boolean(restored) });
  });
}

/** Pages without a link of their own in the navigation stand behind another's. */
const ROOM = { playlist: "history", duets: "history", duet: "history", "duet-join": "history", share: "history", delete: "account" };

/** Mark the link of the page in the main navigation. */
export function markCurrent(nav, page) {
  for (const link of nav.querySelectorAll("[data-nav]")) {
    if (link.dataset.nav === (ROOM[page] ?? page)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

// The focus was on a link that is gone. The heading tells a screen reader which page this is.
function focusOn(main, options) {
  const place = main.querySelector("[data-form-errors], [autofocus]") ?? main.querySelector("h1") ?? main;
  place.focus(options);
}
