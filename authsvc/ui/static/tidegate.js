// What makes pages nicer for who has JavaScript; they work without.

for (const menu of document.querySelectorAll("details.menu")) {
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// A text and a button that copies it: <button data-copies="id of the text" data-done="what it says then">.
for (const button of document.querySelectorAll("button[data-copies]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent.trim());
    const label = button.textContent;
    button.textContent = button.dataset.done;
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

// A part of a page that changes by itself: <div id="..." data-live="seconds"> is fetched again while somebody looks and does nothing in
// it, until it comes without data-live. Asking so is no use of a session.
async function keepFresh(part) {
  while (part.dataset.live) {
    await new Promise((resolve) => { setTimeout(resolve, part.dataset.live * 1000); });
    if (document.hidden || part.contains(document.activeElement)) continue;
    const answer = await fetch(location.href, { headers: { "X-Harbor-No-Session-Renewal": "true" } }).catch(() => null);
    if (!answer || answer.status === 429 || answer.status >= 500) continue; // it may come back
    const page = answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
    const fresh = page?.getElementById(part.id);
    if (!fresh) return; // signed out, or gone
    if (fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
    if (fresh.dataset.live) part.dataset.live = fresh.dataset.live;
    else delete part.dataset.live;
  }
}
for (const part of document.querySelectorAll("[data-live]")) keepFresh(part);

// Ctrl-K: the search, wherever somebody is. Arrows go from one hit to the next, Enter goes there, or to all hits from the field.
const palette = document.getElementById("palette");
const hits = () => [palette.querySelector("input"), ...palette.querySelectorAll("a")];
let asked = 0;
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if (!palette.open) palette.showModal();
    palette.querySelector("input").select();
  } else if (palette.open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    const all = hits();
    const next = all.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
    if (all[next]) { event.preventDefault(); all[next].focus(); }
  }
});
palette.querySelector("input").addEventListener("input", async (event) => {
  const mine = ++asked;
  const text = event.target.value.trim();
  await new Promise((resolve) => { setTimeout(resolve, 150); });
  if (mine !== asked) return;
  const answer = text ? await fetch(`/search?q=${encodeURIComponent(text)}`).catch(() => null) : null;
  const found = answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("found") : null;
  if (mine === asked) document.getElementById("palette-found").replaceChildren(...(found?.childNodes ?? []));
});
