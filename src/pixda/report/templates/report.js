(() => {
  "use strict";
  const classes = JSON.parse(document.getElementById("report-data").textContent).classes;
  const all = (selector) => [...document.querySelectorAll(selector)];

  // ---- contents
  const contents = document.getElementById("contents");
  for (const section of all("main > section")) {
    const link = document.createElement("a");
    link.href = `#${section.id}`;
    link.textContent = section.querySelector("h2").textContent.split(":")[0];
    contents.append(document.createElement("li"));
    contents.lastChild.append(link);
  }

  // ---- one class everywhere
  const picked = document.getElementById("picked");
  let chosen = null;

  function paint(image) {
    image.parentElement.querySelector("canvas")?.remove();
    if (chosen === null || !image.classList.contains("mask")) return;
    const wanted = chosen;
    image.decode().then(() => {
      if (chosen !== wanted || image.parentElement.querySelector("canvas")) return;
      const canvas = document.createElement("canvas");
      canvas.width = image.naturalWidth;
      canvas.height = image.naturalHeight;
      canvas.setAttribute("aria-hidden", "true");
      const pen = canvas.getContext("2d", { willReadFrequently: true });
      pen.drawImage(image, 0, 0);
      const picture = pen.getImageData(0, 0, canvas.width, canvas.height);
      const [red, green, blue] = classes[chosen].colour;
      const p = picture.data;
      for (let i = 0; i < p.length; i += 4) {
        if (p[i] === red && p[i + 1] === green && p[i + 2] === blue) continue;
        for (let k = i; k < i + 3; k++) p[k] = 0.1 * p[k] + 0.9 * 240; // pale, so that the class stands out
      }
      pen.putImageData(picture, 0, 0);
      image.after(canvas);
    });
  }

  function pick(index) {
    chosen = index === chosen ? null : index;
    document.body.classList.toggle("picking", chosen !== null);
    for (const chip of all("[data-pick]")) chip.setAttribute("aria-pressed", String(Number(chip.dataset.pick) === chosen));
    for (const row of all("tr[data-class]")) row.classList.toggle("lit", Number(row.dataset.class) === chosen);
    for (const cell of all("[data-column]")) cell.classList.toggle("lit", Number(cell.dataset.column) === chosen);
    for (const image of all("img.mask")) paint(image);
    picked.replaceChildren();
    if (chosen === null) return;
    const clear = document.createElement("button");
    clear.type = "button";
    clear.textContent = "Show all (Esc)";
    clear.addEventListener("click", () => pick(chosen));
    picked.append(`Only ${classes[chosen].name}`, clear);
  }

  for (const chip of all("[data-pick]")) chip.addEventListener("click", () => pick(Number(chip.dataset.pick)));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && chosen !== null) pick(chosen);
  });

  // ---- two on one frame
  const slide = document.getElementById("slide");
  if (slide === null) return;
  const chooser = { frame: null, left: null, right: null };
  for (const name in chooser) chooser[name] = document.getElementById(`slide-${name}`);

  function place() {
    document.getElementById("slider").style.setProperty("--at", `${slide.value}%`);
    const [left, right] = [chooser.left, chooser.right].map((one) => one.selectedOptions[0].textContent);
    slide.setAttribute("aria-valuetext", `${slide.value} % ${left}, then ${right}`);
  }

  function show() {
    for (const [place, side] of [["over", "left"], ["under", "right"]]) {
      const from = document.getElementById(`frame-${chooser.frame.value}-${chooser[side].value}`);
      const into = document.getElementById(`slide-${place}`);
      Object.assign(into, { src: from.src, alt: from.alt, className: from.className });
      paint(into);
    }
    place();
  }

  slide.addEventListener("input", place);
  for (const name in chooser) chooser[name].addEventListener("change", show);
  place();
})();
