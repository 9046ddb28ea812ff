"use strict";
// Brings the page up to date every 2 s. The server renders it; here only what differs is changed, so that what is open,
// selected, focused or scrolled stays so.
const interval = 2000, patience = 5000; // ms
const lost = document.getElementById("lost"), icon = document.querySelector("link[rel=icon]");
let heard = performance.now(), title = document.title, status = 200;

function become(old, other) {
  if (old.nodeName !== other.nodeName || old.id !== other.id) {
    old.replaceWith(other);
  } else if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== other.data) old.data = other.data;
  } else {
    for (const { name } of [...old.attributes])
      if (name !== "open" && !other.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of other.attributes)
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    becomeAll(old, [...other.childNodes]);
  }
}

// Children with an id are the same as before wherever they stand, others are by their place
function becomeAll(parent, others) {
  const ids = new Set(others.map((one) => one.id));
  for (const one of [...parent.children]) if (one.id && !ids.has(one.id)) one.remove();
  const known = new Map([...parent.children].filter((one) => one.id).map((one) => [one.id, one]));
  let place = parent.firstChild;
  for (const other of others) {
    const one = other.id ? known.get(other.id) : place && !place.id ? place : null;
    known.delete(other.id);
    if (!one) {
      parent.insertBefore(other, place);
      continue;
    }
    if (one === place) place = place.nextSibling;
    else parent.insertBefore(one, place);
    become(one, other);
  }
  while (place) {
    const gone = place;
    place = gone.nextSibling;
    gone.remove();
  }
}

function show(page) {
  const main = page?.querySelector("main");
  if (!main) return;
  heard = performance.now();
  title = page.title;
  icon.href = page.querySelector("link[rel=icon]").href;
  become(document.querySelector("main"), main);
}

function tell() {
  const silence = performance.now() - heard;
  const isLost = silence > 1.5 * interval;
  const [what, since] = lost.children;
  lost.hidden = !isLost;
  what.textContent = !isLost ? "" : status && status !== 200 ? `status ${status}` : "no answer";
  since.textContent = !isLost ? "" : `for ${Math.round(silence / 1000)} s`;
  document.documentElement.classList.toggle("is-lost", isLost);
  document.title = isLost ? `no answer · ${title}` : title;
}

function update() {
  const request = new XMLHttpRequest();
  request.open("GET", location.href);
  request.responseType = "document";
  request.timeout = patience;
  request.onloadend = () => {
    status = request.status;
    if (status === 200) show(request.response);
    tell();
    setTimeout(update, interval);
  };
  request.send();
}

setTimeout(update, interval);
setInterval(tell, 1000);
