import { rooms } from '../../oxlint.config.ts';

/** A row of the table of rooms: `| `policy/core` | what lives there | what it imports |`. */
const ROW = /^\| `([a-z/]+)` \| ([^|]*?) \|[^|]*\|$/gm;
const HEADER = '| room | what lives there | may import |\n';

/**
 * The architecture page with the last column of its table of rooms as oxlint.config.ts has it. People write the rest.
 * @throws Error where the table lacks a room, or has one that does not exist.
 */
export function withImports(page: string): string {
  const start = page.indexOf(HEADER);
  const end = page.indexOf('\n\n', start);
  if (start < 0) throw new Error(`docs/explanation/architecture.md needs the table "${HEADER.trim()}"`);
  const table = page.slice(start, end);
  const listed = [...table.matchAll(ROW)].map(([, room]) => room!);
  const missing = Object.keys(rooms).filter((room) => !listed.includes(room));
  const unknown = listed.filter((room) => rooms[room] === undefined);
  if (missing.length > 0 || unknown.length > 0) {
    throw new Error(
      `docs/explanation/architecture.md: give each room of oxlint.config.ts one row (missing: ${missing.join(', ') || 'none'}; no room: ${unknown.join(', ') || 'none'})`,
    );
  }
  const filled = table.replaceAll(ROW, (_, room: string, text: string) => `| \`${room}\` | ${text} | ${arrows(room)}|`);
  return page.slice(0, start) + filled + page.slice(end);
}

/** What a room may import; all rooms of policy/ together are `policy/*`. */
function arrows(room: string): string {
  const { imports } = rooms[room]!;
  const policy = Object.keys(rooms).filter((name) => name.startsWith('policy/'));
  const short = policy.every((name) => imports.includes(name))
    ? ['policy/*', ...imports.filter((name) => !policy.includes(name))]
    : imports;
  return short.length === 0 ? '' : `${short.map((name) => `\`${name}\``).join(', ')} `;
}
