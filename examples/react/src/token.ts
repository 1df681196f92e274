/** What our own backend answers: who is signed in is its business, and the key stays there. */
interface Minted {
  token: string;
  expiresAt: string;
  api: string;
}

const SPARE = 30_000; // milliseconds that a token must live on for one request

let minted: Promise<Minted> | undefined;

async function mint(): Promise<Minted> {
  const answer = await fetch("/token", { method: "POST" }).catch(() => undefined);
  if (!answer?.ok) throw new Error("Our own backend gave no token: is it running, with a key that may make tokens?");
  return answer.json();
}

/** A token that lives on for so many milliseconds; kept in memory only, and made anew where it does not. */
export async function token(lives = SPARE): Promise<Minted> {
  const known = await minted?.catch(() => undefined);
  if (!known || Date.parse(known.expiresAt) - Date.now() < lives) minted = mint();
  return minted!;
}

/** After a 401: the next request asks for another. */
export function forgetToken(): void {
  minted = undefined;
}
