/**
 * Which commands can be used here, and how a chosen one is written down. Pure; must not know the DOM.
 */

export const OPTION = {
  SUBCOMMAND: 1, GROUP: 2, STRING: 3, INTEGER: 4, BOOLEAN: 5, USER: 6, CHANNEL: 7, ROLE: 8, MENTIONABLE: 9, NUMBER: 10, ATTACHMENT: 11,
};
export const SLASH = 1;
const CONTEXT_GUILD = 0;
const CONTEXT_BOT_DM = 1;
const SUGGESTIONS_MAX = 40;

/** @typedef {{command: any, path: string[], name: string, description: string, options: any[]}} Entry */

/** @param {any} store @param {number} type @returns {any[]} */
export function commandsFor(store, type) {
  const channel = store.currentChannel;
  if (!channel) return [];
  const ofType = store.commands.filter((command) => (command.type ?? SLASH) === type);
  // The server knows best who may use what; without its word, the command's own fields decide.
  if (Array.isArray(channel.command_ids)) return ofType.filter((command) => channel.command_ids.includes(command.id));
  const context = channel.guild_id ? CONTEXT_GUILD : CONTEXT_BOT_DM;
  return ofType.filter((command) => {
    if (command.guild_id && command.guild_id !== channel.guild_id) return false;
    if (Array.isArray(command.contexts) && !command.contexts.includes(context)) return false;
    if (!command.contexts && command.dm_permission === false && !channel.guild_id) return false;
    return !command.default_member_permissions || store.isModerator;
  });
}

/** Slash commands with their subcommands spelled out, in the order in which the bot registered them. @param {any} store @returns {Entry[]} */
export function slashEntries(store) {
  return commandsFor(store, SLASH).flatMap((command) => spell(command, command, [command.name]));
}

/** @returns {Entry[]} */
function spell(command, node, path) {
  const options = node.options ?? [];
  const branches = options.filter((option) => option.type === OPTION.SUBCOMMAND || option.type === OPTION.GROUP);
  if (branches.length === 0) return [{ command, path, name: path.join(" "), description: node.description ?? "", options }];
  return branches.flatMap((branch) => spell(command, branch, [...path, branch.name]));
}

/** Best matches first: the name's beginning, then its middle, then the description. @param {Entry[]} entries @param {string} typed */
export function matchEntries(entries, typed) {
  const query = typed.toLowerCase().trim();
  const rank = (entry) => {
    const name = entry.name.toLowerCase();
    if (name.startsWith(query)) return 0;
    if (name.includes(query)) return 1;
    return entry.description.toLowerCase().includes(query) ? 2 : 3;
  };
  return entries.map((entry) => ({ entry, rank: rank(entry) })).filter((match) => match.rank < 3)
    .sort((left, right) => left.rank - right.rank).slice(0, SUGGESTIONS_MAX).map((match) => match.entry);
}

/** "/name rest" where exactly one command is meant. @param {Entry[]} entries @param {string} text @returns {{entry: Entry, rest: string} | null} */
export function parseTyped(entries, text) {
  const typed = text.slice(1);
  const found = entries.filter((entry) => typed.startsWith(`${entry.name} `)).sort((left, right) => right.name.length - left.name.length)[0];
  return found ? { entry: found, rest: typed.slice(found.name.length + 1).trim() } : null;
}

/** Options as Discord nests them under subcommands. @param {any} command @param {string[]} path @param {any[]} options */
export function nestOptions(command, path, options) {
  const types = [];
  let node = command;
  for (const name of path.slice(1)) {
    node = node.options.find((option) => option.name === name);
    types.push([name, node.type]);
  }
  return types.reduceRight((inner, [name, type]) => [{ name, type, options: inner }], options);
}
