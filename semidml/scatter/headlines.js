// The bar of a page that trains tells a run's two scores while the card that has them is out of sight: what one reads
// stands there once, wherever the page is scrolled to.

const LOOK = 400; // milliseconds between two looks at where the card is, which may be drawn anew or grow

export default function ({ data }) {
  const look = () => {
    const bar = document.querySelector(".st-key-bar")?.getBoundingClientRect().bottom ?? 0;
    const card = document.querySelector(`.st-key-${data.card}`)?.getBoundingClientRect();
    const isSeen = card !== undefined && card.height > 0 && card.top >= bar - 1 && card.bottom <= innerHeight + 1;
    document.body.classList.toggle("scores-seen", isSeen);
  };
  const timer = setInterval(look, LOOK);
  addEventListener("scroll", look, { passive: true, capture: true });
  look();
  return () => {
    clearInterval(timer);
    removeEventListener("scroll", look, { capture: true });
    document.body.classList.remove("scores-seen");
  };
}
