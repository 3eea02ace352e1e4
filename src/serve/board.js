"use strict";
// Fetches the page again and takes over what changed. What a screen reader follows (the summary) is touched only when its words change.
const EVERY = 2000;
let failed = 0;

async function follow() {
  try {
    const answer = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["summary", "transfers", "rows"]) {
      const [here, there] = [document.getElementById(id), fresh.getElementById(id)];
      if (there && here.innerHTML !== there.innerHTML) here.replaceChildren(...document.importNode(there, true).childNodes);
    }
    failed = 0;
    say("This page follows by itself.");
  } catch {
    failed += 1;
    if (failed > 2) say("No answer from the room: this is how it was a while ago.");
  }
  setTimeout(follow, EVERY);
}

function say(text) {
  const age = document.getElementById("age");
  if (age.textContent !== text) age.textContent = text;
}

follow();
