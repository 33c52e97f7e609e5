/** The page's icons: 24 × 24 outlines, drawn in the colour of the text around them. */

const PATHS = {
  bell: "M6 9a6 6 0 0 1 12 0c0 6 2 7 2.500 8h-17C4 16 6 15 6 9Zm4 11a2.200 2.200 0 0 0 4 0",
  check: "m5 12.500 4.500 4.500L19 7.500",
  checks: "m2 12.500 4.500 4.500L15 8.500M11.500 16l1 1L22 7.500",
  clock: "M12 7v5l3 2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z",
  close: "M6 6l12 12M18 6 6 18",
  comment: "M4 5h16v11h-8l-5 4v-4H4Z",
  burst: "m13 3-8 11h6l-1 7 8-11h-6Z",
  flag: "M6 21V4h12l-2.500 4L18 12H6",
  heart: "M12 20S4 15 4 9.500A4.300 4.300 0 0 1 12 7a4.300 4.300 0 0 1 8 2.500C20 15 12 20 12 20Z",
  home: "M4 11 12 4l8 7v9h-5v-6H9v6H4Z",
  hourglass: "M7 3h10M7 21h10M8 3c0 5 8 5.500 8 9s-8 4-8 9M16 3c0 5-8 5.500-8 9s8 4 8 9",
  box: "M4 8l8-4 8 4v8l-8 4-8-4Zm0 0 8 4 8-4M12 12v8",
  moon: "M20 14.500A8 8 0 0 1 9.500 4 8 8 0 1 0 20 14.500Z",
  order: "M6 8h12l1 12H5ZM9 8V7a3 3 0 0 1 6 0v1",
  pencil: "M4 20l1-4.500L16 4.500l3.500 3.500L8.500 19Z",
  pin: "M12 21s-6-5.500-6-11a6 6 0 0 1 12 0c0 5.500-6 11-6 11Zm0-9a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
  plug: "M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0ZM12 17v4",
  retry: "M20 12a8 8 0 1 1-2.500-5.800M20 3v4h-4",
  send: "M4 12 20 4l-5 16-3-7Z",
  share: "M12 15V4M8 8l4-4 4 4M5 13v7h14v-7",
  shield: "M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6Z",
  sliders: "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.500 1.500M17.500 17.500 19 19M5 19l1.500-1.500M17.500 6.500 19 5",
  undo: "M9 5 4 10l5 5M4 10h10a5.500 5.500 0 0 1 0 11h-3",
  truck: "M3 6h11v11H3ZM14 10h4l3 3.500V17h-7M7 20a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM17 20a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
} as const;

export type IconName = keyof typeof PATHS;

const SVG = "http://www.w3.org/2000/svg";

/** Make an icon; it is decoration, so the text or label beside it says what it means. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
