"use strict";

// Counts the lines of a stream while it comes
async function count(target) {
  const reader = (await fetch(target.dataset.url)).body.getReader();
  let lines = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    lines += value.filter((byte) => byte === 10).length;
  }
  target.textContent = `${lines} lines`;
}

count(document.getElementById("stream"));
