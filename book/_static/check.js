// Counts the answers of a page's questions, and keeps them on the reader's own device.
{
  const questions = [...document.querySelectorAll("fieldset.question")];
  const inputs = questions.flatMap((question) => [...question.querySelectorAll("input")]);
  const key = `check ${inputs[0].name.replace(/-\d+$/, "")}`;

  const score = document.createElement("p");
  score.className = "score";
  score.setAttribute("role", "status");
  const again = document.createElement("button");
  again.type = "button";
  again.className = "btn btn-secondary";
  again.textContent = "Start again";
  questions[questions.length - 1].after(score, again);

  // Storage can be switched off, or hold something else.
  function remembered() {
    try {
      return new Set(JSON.parse(localStorage.getItem(key)));
    } catch {
      return new Set();
    }
  }

  function remember(chosen) {
    try {
      if (chosen.length) localStorage.setItem(key, JSON.stringify(chosen));
      else localStorage.removeItem(key);
    } catch {
      // The page works without.
    }
  }

  function count() {
    const chosen = inputs.filter((input) => input.checked);
    const right = chosen.filter((input) => input.closest(".answer.right"));
    remember(chosen.map((input) => input.id));
    const all = chosen.length === questions.length ? "" : `, ${chosen.length} answered`;
    score.textContent = `${right.length} of ${questions.length} right${all}.`;
    again.hidden = !chosen.length;
  }

  // Tells a screen reader what has appeared below the answer.
  const told = document.createElement("div");
  told.className = "visually-hidden";
  told.setAttribute("role", "status");
  score.after(told);

  const before = remembered();
  for (const input of inputs) input.checked = before.has(input.id);
  count();
  for (const input of inputs) {
    input.addEventListener("change", () => {
      told.textContent = input.closest(".answer").querySelector(".why").textContent;
      count();
    });
  }
  again.addEventListener("click", () => {
    for (const input of inputs) input.checked = false;
    count();
    inputs[0].focus();
  });
}
