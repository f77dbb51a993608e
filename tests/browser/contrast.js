// The text of the page whose contrast with what is behind it is below WCAG's AA: 4.5, or 3 for large text.
(() => {
  // The canvas knows every way to write a colour.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parsed = new Map();
  const rgba = (colour) => {
    if (!parsed.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      parsed.set(colour, [r, g, b, a / 255]);
    }
    return parsed.get(colour);
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((x, i) => x * a + below[i] * (1 - a));
  const behind = (node) => {
    const layers = [];
    for (let n = node; n; n = n.parentElement) layers.push(rgba(getComputedStyle(n).backgroundColor));
    return layers.reduceRight((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.map((x) => (x / 255 <= 0.04045 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const seen = new Set();
  const faint = [];
  for (const node of document.querySelectorAll("body *:not(script, option, svg, svg *)")) {
    const own = [...node.childNodes].some((c) => c.nodeType === Node.TEXT_NODE && c.data.trim());
    if (!own) continue;
    const style = getComputedStyle(node);
    const below = behind(node);
    const text = over(rgba(style.color), below);
    const key = [text, below].join();
    if (seen.has(key)) continue;
    seen.add(key);
    const [dark, light] = [luminance(text), luminance(below)].sort((a, b) => a - b);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = Number.parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) {
      faint.push(`${ratio.toFixed(2)} ${node.localName}.${node.className}: ${node.textContent.trim().slice(0, 30)}`);
    }
  }
  return { pairs: seen.size, faint };
})();
