// A table of scores that stays while its numbers change: a row a score, whose name tells its help.

import { Help } from "./help.js";

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".scores");
  root.table ??= new Table(root);
  root.table.show(data);
}

class Table {
  constructor(root) {
    this.table = document.createElement("table");
    this.help = new Help(root, (button) => this.data.help[button.textContent] ?? "");
    root.replaceChildren(this.table, this.help.element);
  }

  show(data) {
    const state = JSON.stringify(data);
    if (state === this.state) return;
    [this.state, this.data] = [state, data];
    const asked = this.table.getRootNode().activeElement?.textContent;
    const [head, ...rows] = data.rows;
    const [top, body] = ["thead", "tbody"].map((tag) => document.createElement(tag));
    top.append(line(head.map((text) => cell("th", text, "col"))));
    body.append(...rows.map(([title, ...values]) => line([this.titleCell(title), ...values.map((text) => cell("td", text))])));
    this.table.replaceChildren(top, body);
    const button = [...this.table.querySelectorAll("button")].find(({ textContent }) => textContent === asked);
    if (button) button.focus({ preventScroll: true }); // who reads a help, reads on
    else this.help.hush();
  }

  titleCell(title) {
    if (!this.data.help[title]) return cell("th", title, "row");
    const place = cell("th", "", "row");
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: title });
    button.setAttribute("aria-describedby", "help");
    place.append(button);
    return place;
  }
}

function cell(tag, textContent, scope) {
  return Object.assign(document.createElement(tag), { textContent }, scope ? { scope } : {});
}

function line(cells) {
  const row = document.createElement("tr");
  row.append(...cells);
  return row;
}
