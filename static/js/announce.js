/** Words to the listener: a polite live region for what can be heard only, notices for what must be seen too. */

const SHOWN_FOR = 7000;

export class Announcer {
  #region;
  #notices;

  constructor({ region, notices }) {
    this.#region = region;
    this.#notices = notices;
  }

  /** Spoken by screen readers when they have a moment; the same words twice are spoken twice. */
  say(text) {
    this.#region.textContent = "";
    setTimeout(() => { this.#region.textContent = text; }, 60);
  }

  /** Shown for a while, and spoken at once: something did not work. */
  warn(text) {
    if ([...this.#notices.children].some((shown) => shown.textContent === text)) return;
    const notice = document.createElement("p");
    notice.className = "notice";
    notice.setAttribute("role", "alert");
    notice.textContent = text;
    this.#notices.append(notice);
    setTimeout(() => notice.remove(), SHOWN_FOR);
  }
}
