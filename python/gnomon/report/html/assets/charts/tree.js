// A run's process tree, as lists in lists, so that it is read out and printed as it stands.

const STATES = { recorded: "", "": "" };

function processTree(nodes) {
  return el("ul", { class: "tree" }, nodes.map(treeNode));
}

function treeNode(node) {
  const children = list(node.children);
  return el(
    "li",
    {},
    el("div", { class: `proc ${node.process ? "" : "unseen"}` }, treeWords(node)),
    children.length > 0 && el("ul", {}, children.map(treeNode)),
  );
}

function treeWords(node) {
  const state = own(STATES, node.state) ?? node.state;
  return [
    el("b", {}, node.script ? scriptLink(node.script, node.name) : name(node.name)),
    " ",
    node.command && node.command !== node.name && [code(node.command), " "],
    el(
      "span",
      { class: "quiet" },
      [
        node.user && `as ${clean(node.user)}`,
        node.started && time(node.started),
        typeof node.status === "number" && node.status !== 0 && `ended with status ${node.status}`,
      ]
        .filter(Boolean)
        .join(", "),
    ),
    state && [" ", tag(state, "warned")],
  ];
}
