/** One entry of `errors`, as the API writes it: docs/errors.md lists the codes. */
interface Entry {
  message: string;
  extensions?: { code?: string; reason?: string; remedy?: string };
}

export class ApiError extends Error {
  readonly code: string;
  readonly remedy: string | undefined;

  constructor(
    { message, extensions = {} }: Entry,
    readonly requestId: string | null = null,
  ) {
    super(message);
    this.code = [extensions.code ?? "ERROR", extensions.reason].filter(Boolean).join(" · ");
    this.remedy = extensions.remedy;
  }
}

/** Whatever a socket fails with: the operation's errors, the close of the socket, or something of our own. */
export function apiError(failure: unknown): Error {
  if (Array.isArray(failure)) return new ApiError(failure[0]);
  if (failure instanceof CloseEvent) {
    return new ApiError({
      message: failure.reason || "The connection was closed.",
      extensions: { code: `SOCKET ${failure.code}`, remedy: "Reload the page to follow it again." },
    });
  }
  return failure instanceof Error ? failure : new Error("The connection failed.");
}
