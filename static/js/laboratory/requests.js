/** Requests of the laboratory's pages to their own server; what goes wrong is an Error with a sentence. */

import { cookie } from "../api.js";

const PATIENCE = 20_000;

async function request(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE), ...options });
  } catch {
    throw new Error("The server could not be reached.");
  }
  return response;
}

async function answered(response) {
  const answer = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer;
  throw new Error(answer?.error ?? `The server answered with status ${response.status}.`);
}

export const getJson = async (url) => answered(await request(url, { headers: { Accept: "application/json" } }));

export const postForJson = async (url) =>
  answered(await request(url, { method: "POST", headers: { Accept: "application/json", "X-CSRFToken": cookie("csrftoken", document.cookie) } }));

export async function getHtml(url) {
  const response = await request(url);
  if (!response.ok || response.redirected) throw new Error(`The server answered with status ${response.status}.`);
  return response.text();
}

/** Whether there is something at an address; not when nobody answers. */
export async function exists(url) {
  try {
    return (await request(url, { method: "HEAD" })).ok;
  } catch {
    return false;
  }
}
