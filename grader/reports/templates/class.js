"use strict";
// Sorting and filtering of the table of students. Without this script the page is whole: the table is there, unsorted.
(() => {
  const table = document.getElementById("class");
  if (!table) return;
  const body = table.tBodies[0], rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
  const find = document.getElementById("find"), show = document.getElementById("show");
  const count = document.getElementById("count");

  // What a cell is sorted by: its number if it begins with one, else its words. An empty cell comes last.
  const value = (row, column) => {
    const text = (row.cells[column].querySelector("a") || row.cells[column]).textContent.trim();
    const number = parseFloat(text);
    return Number.isNaN(number) ? text.toLowerCase() : number;
  };
  const compare = (one, other) => {
    const numbers = [typeof one, typeof other].map((kind) => kind === "number");
    if (numbers[0] && numbers[1]) return other - one; // most points first
    if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1;
    return String(one).localeCompare(String(other), undefined, { numeric: true });
  };
  const sort = (column, reverse) => {
    const sorted = rows.map((row) => [column ? value(row, column) : row.cells[0].textContent, row]);
    sorted.sort((one, other) => compare(one[0], other[0]) * (reverse ? -1 : 1));
    body.append(...sorted.map((pair) => pair[1]));
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[column].setAttribute("aria-sort", reverse === (typeof sorted[0][0] === "number") ? "ascending" : "descending");
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    let reverse = true;
    button.addEventListener("click", () => {
      reverse = head.hasAttribute("aria-sort") ? !reverse : false;
      sort(column, reverse);
    });
  });

  const marks = {
    "?": (row) => row.querySelector(".inconclusive"),
    "!": (row) => row.querySelector(".fail"),
    "0": (row) => [...row.cells].slice(1, -2).some((cell) => parseFloat(cell.textContent) === 0 || !cell.querySelector("a")),
  };
  const filter = () => {
    const words = find.value.toLowerCase();
    let left = 0;
    for (const row of rows) {
      const fits = row.textContent.toLowerCase().includes(words) && (!show.value || marks[show.value](row));
      row.hidden = !fits;
      left += fits ? 1 : 0;
    }
    count.textContent = left === rows.length ? `${left}` : `${left} of ${rows.length}`;
  };
  find.addEventListener("input", filter);
  show.addEventListener("change", filter);
  document.getElementById("filters").hidden = false;
})();
