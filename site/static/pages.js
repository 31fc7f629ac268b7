// What is wider than its box can be scrolled by keyboard too.
const wide = () => {
  for (const box of document.querySelectorAll("article :is(pre, .table-wrapper, .output)")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
};
addEventListener("resize", wide);
wide();

// A term's definition beside its link, while one points at either or the link has the focus.
for (const link of document.querySelectorAll('a[href*="glossary.html#"]')) {
  const card = document.getElementById("term-" + link.hash.slice(1));
  if (!card) continue;
  let leaving = 0;
  const show = () => {
    clearTimeout(leaving);
    for (const other of document.querySelectorAll(".term")) other.hidden = other !== card;
    const { left, top, bottom } = link.getBoundingClientRect(), { offsetWidth, offsetHeight } = card;
    const below = bottom + offsetHeight + 8 < innerHeight;
    card.style.left = `${Math.max(8, Math.min(left, innerWidth - offsetWidth - 8))}px`;
    card.style.top = `${below ? bottom + 4 : top - offsetHeight - 4}px`;
  };
  const hide = () => { card.hidden = true; };
  const leave = () => { leaving = setTimeout(hide, 200); }; // time to move into the card
  link.setAttribute("aria-describedby", card.id);
  for (const each of [link, card]) {
    each.addEventListener("pointerenter", ({ pointerType }) => pointerType === "mouse" && show());
    each.addEventListener("pointerleave", leave);
  }
  link.addEventListener("focus", show);
  link.addEventListener("blur", hide);
  addEventListener("keydown", ({ key }) => key === "Escape" && hide());
  addEventListener("scroll", hide, { passive: true });
}
