import { useEffect, useState } from "react";

/** Returns whether something has gone on for so many milliseconds. */
export function useDelayed(going: boolean, milliseconds: number): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (!going) return;
    const timer = setTimeout(() => setLate(true), milliseconds);
    return () => {
      clearTimeout(timer);
      setLate(false);
    };
  }, [going, milliseconds]);
  return going && late;
}
