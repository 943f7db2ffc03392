// Images of which a visitor picks one: a button each, told by `picked`.

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".gallery");
  const state = JSON.stringify(data);
  if (root.state === state) return;
  root.state = state;
  root.replaceChildren(
    ...data.images.map((source, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-label", data.words[i]);
      button.setAttribute("aria-pressed", String(data.chosen === i));
      button.title = data.words[i];
      const image = document.createElement("img");
      image.src = source;
      image.alt = "";
      button.append(image);
      button.onclick = () => setTriggerValue("picked", i);
      return button;
    }),
  );
}
