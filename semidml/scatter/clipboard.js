// What a visitor takes along.

/** Puts a text into the clipboard, and says whether it is there: on a page that came without encryption it has to be
 * selected first, in `place`; an open dialog keeps all else from being selected. */
export const copy = async (text, place = document.body) => {
  try {
    await window.navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.style.position = "fixed";
    field.style.opacity = 0;
    place.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
};
