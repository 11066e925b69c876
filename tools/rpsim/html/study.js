document.body.textContent = "study";
