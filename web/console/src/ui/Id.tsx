/** An id without its middle; the whole of it is in its title. */
export function Id({ id }: { id: string }) {
  return (
    <code className="whitespace-nowrap font-mono text-xs" title={id}>
      {shortened(id)}
    </code>
  );
}

/** Leaves out the middle of a long id: its kind and its last six characters stay. */
export function shortened(id: string): string {
  const kind = /^[a-z]+_/.exec(id)?.[0] ?? id.slice(0, 6);
  return id.length <= kind.length + 8 ? id : `${kind}…${id.slice(-6)}`;
}
