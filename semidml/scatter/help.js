// The help of a button: at the mouse, at the keyboard and under a finger.

const GAP = 4; // pixels between a button and its help

export class Help {
  /** root: what holds the buttons; helpOf: what there is to say of one. */
  constructor(root, helpOf) {
    [this.root, this.helpOf, this.told] = [root, helpOf, null];
    this.element = Object.assign(document.createElement("div"), { className: "help", id: "help", hidden: true });
    this.element.setAttribute("role", "tooltip");
    for (const [kind, act] of [["pointerover", "tell"], ["focusin", "tell"], ["click", "tell"], ["pointerleave", "hush"], ["focusout", "hush"]]) {
      root.addEventListener(kind, (event) => this[act](event));
    }
    root.addEventListener("keydown", (event) => event.key === "Escape" && this.hush());
  }

  /** What it says now of the button that it says something of: that may have changed. */
  renew() {
    if (this.told) this.element.textContent = this.helpOf(this.told);
  }

  tell(event) {
    const button = event.target.closest("button");
    if (!button) return event.type === "pointerover" ? this.hush() : undefined;
    this.told = button;
    this.renew();
    this.element.hidden = false;
    const [room, place] = [this.root.getBoundingClientRect(), button.getBoundingClientRect()];
    const { width, height } = this.element.getBoundingClientRect();
    const fits = place.bottom + GAP + height <= window.innerHeight || place.top < height + GAP;
    this.element.style.left = `${Math.max(0, Math.min(place.left - room.left, room.width - width))}px`;
    this.element.style.top = `${fits ? place.bottom - room.top + GAP : place.top - room.top - height - GAP}px`;
    return undefined;
  }

  hush() {
    this.told = null;
    this.element.hidden = true;
  }
}
