// The map alone on the whole screen, with large type: for a lecture. "f" begins and ends it, Esc ends it.

export class Present {
  constructor(map, keys) {
    this.map = map;
    this.isOn = false;
    this.isLayer = false; // above the page, where there is no full screen
    keys.textContent = "space plays \u00b7 \u2190 \u2192 step \u00b7 Esc leaves";
    map.root.addEventListener("fullscreenchange", () => this.isOn && !this.hasScreen && !this.isLayer && this.end());
  }

  get hasScreen() {
    return this.map.root.getRootNode().fullscreenElement === this.map.root;
  }

  toggle() {
    return this.isOn ? this.end() : this.begin();
  }

  async begin() {
    const { root, over } = this.map;
    if (!this.map.filter.root.hidden) this.map.filter.open(false); // room for the map; what is filtered stays
    this.show(true);
    try {
      await root.requestFullscreen();
    } catch {
      this.isLayer = true; // a browser without a full screen, as a phone's: above the page then
      root.popover = "manual";
      root.showPopover();
    }
    over.focus();
    this.map.draw();
  }

  end() {
    const { root, over } = this.map;
    if (this.isLayer) root.removeAttribute("popover");
    this.isLayer = false;
    this.show(false);
    if (this.hasScreen) document.exitFullscreen();
    over.focus();
    this.map.draw();
  }

  show(isOn) {
    this.isOn = isOn;
    this.map.root.classList.toggle("presented", isOn);
    this.map.gestures.mark("present", isOn);
  }
}
