import { Component, type ReactNode } from "react";
import { ApiError } from "./errors";

/** What went wrong, its stable code, and what to do about it. */
export function Problem({ error, onRetry }: { error: Error; onRetry?: (() => void) | undefined }) {
  const api = error instanceof ApiError ? error : undefined;
  return (
    <div className="problem" role="alert">
      {api && <code>{api.code}</code>}
      <p>{error.message}</p>
      {api?.remedy && <p className="remedy">{api.remedy}</p>}
      {api?.requestId && <p className="request">Request {api.requestId}</p>}
      {onRetry && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

interface Caught {
  error: Error | null;
  attempt: number;
}

/** Shows what a query below it threw. Another attempt is another number: Relay keeps what a query failed with. */
export class Boundary extends Component<{ children: (attempt: number) => ReactNode }, Caught> {
  override state: Caught = { error: null, attempt: 0 };

  static getDerivedStateFromError(error: Error): Partial<Caught> {
    return { error };
  }

  override render() {
    const { error, attempt } = this.state;
    const retry = () => this.setState({ error: null, attempt: attempt + 1 });
    return error ? <Problem error={error} onRetry={retry} /> : this.props.children(attempt);
  }
}
