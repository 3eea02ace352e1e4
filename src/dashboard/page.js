"use strict";
// Fetches the page again and takes over what changed. What a screen reader follows (the summary) is touched only when its words change.
const EVERY = 3000;
let failed = 0;

async function follow() {
  try {
    const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(30000) });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["cluster", "summary", "problems", "models", "components"]) {
      const [here, there] = [document.getElementById(id), fresh.getElementById(id)];
      if (here && there && here.innerHTML !== there.innerHTML) here.replaceChildren(...document.importNode(there, true).childNodes);
    }
    failed = 0;
    say("This page follows by itself.");
  } catch {
    failed += 1;
    if (failed > 1) say("No answer: this is how it was a while ago. Is `quickstart status --web` still running?");
  }
  setTimeout(follow, EVERY);
}

function say(text) {
  const age = document.getElementById("age");
  if (age.textContent !== text) age.textContent = text;
}

setTimeout(follow, EVERY);
