// The link's secret stands behind the #: no server, proxy or log sees it. It is sent once, by POST, and then forgotten.
const says = document.getElementById("says");

async function signIn(secret) {
  says.textContent = "Signing in…";
  const answer = await fetch("login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ secret }),
  }).catch(() => null);
  if (answer && answer.ok) {
    location.replace("./" + location.search);
    return;
  }
  const problem = answer && (await answer.json().catch(() => null));
  says.textContent = problem ? `${problem.detail} ${problem.remedy}` : "The server does not answer. Is it running?";
  document.getElementById("secret").focus();
}

document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = document.getElementById("secret").value.trim();
  signIn(text.slice(text.lastIndexOf("#") + 1));
});

const secret = location.hash.slice(1);
if (secret) {
  history.replaceState(null, "", location.pathname + location.search);
  signIn(secret);
}
