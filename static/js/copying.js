/** Copy what stands in a field; where there is no clipboard (an insecure origin) it is selected, to be copied by hand. */

export async function copyLink(button, say) {
  const field = document.getElementById(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(field.value);
    say("The link is copied.");
  } catch {
    field.focus();
    field.select();
  }
}
