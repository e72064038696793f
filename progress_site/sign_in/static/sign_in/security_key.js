/**
 * Security keys: `<form data-security-key="create|get">` with a hidden field `credential`. Its options are in the JSON
 * element #security-key-options. The form is shown where the browser can use keys.
 */

const PROBLEMS = {
  NotAllowedError: "The key was not used in time, or the browser cancelled. Try again.",
  InvalidStateError: "This key is already one of your factors.",
  SecurityError: "The browser does not use keys at this address. Open the site by its name over HTTPS.",
};

function options() {
  const data = JSON.parse(document.getElementById("security-key-options").textContent);
  return (data.creation_options ?? data.request_options).publicKey;
}

async function credential(purpose) {
  if (purpose === "create") {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options());
    return navigator.credentials.create({ publicKey });
  }
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options());
  return navigator.credentials.get({ publicKey });
}

async function answer(form) {
  const problem = form.querySelector("[data-problem]");
  problem.hidden = true;
  try {
    const found = await credential(form.dataset.securityKey);
    form.elements.credential.value = JSON.stringify(found.toJSON());
    form.submit();
  } catch (error) {
    problem.textContent = PROBLEMS[error.name] ?? `The key could not be used: ${error.message}`;
    problem.hidden = false;
  }
}

const form = document.querySelector("[data-security-key]");
if (form && window.PublicKeyCredential?.parseCreationOptionsFromJSON) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    answer(form);
  });
}
