// A page that could not be shown tries again by itself.

let pause = 2000;
async function retry() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (answer?.ok) return location.reload();
  pause = Math.min(30000, pause * 1.5);
  setTimeout(retry, pause * (0.5 + Math.random() / 2));
}
setTimeout(retry, pause);
