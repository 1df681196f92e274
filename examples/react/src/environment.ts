import { createClient } from "graphql-ws";
import {
  Environment,
  Network,
  Observable,
  RecordSource,
  Store,
  type FetchFunction,
  type GraphQLResponse,
  type SubscribeFunction,
} from "relay-runtime";
import { ApiError, apiError } from "./errors";
import { forgetToken, token } from "./token";

const REACH = "Is it running, and is this page's origin among its CREATOR_GRAPH_CORS_ORIGINS?";

async function post(body: string): Promise<Response> {
  const { api, token: bearer } = await token();
  return fetch(`${api}/graphql`, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${bearer}`,
      "Content-Type": "application/json",
      Accept: "application/graphql-response+json",
    },
    body,
  }).catch(() => {
    throw new ApiError({ message: "The API was not reached.", extensions: { code: "NETWORK", remedy: REACH } });
  });
}

/** One operation over HTTP. A token that ended meanwhile is replaced once; any error of the answer is thrown. */
const fetchOperation: FetchFunction = async (operation, variables) => {
  const body = JSON.stringify({ query: operation.text, operationName: operation.name, variables });
  let answer = await post(body);
  if (answer.status === 401) {
    forgetToken();
    answer = await post(body);
  }
  const json = await answer.json();
  if (json.errors) throw new ApiError(json.errors[0], answer.headers.get("X-Request-Id"));
  return json;
};

const CONSENT = 11 * 60_000; // milliseconds: a creator has ten minutes to decide, and the socket ends with its token

/** Opened by the first subscription, closed with the last; asks for a token that lasts each time it opens. */
const socket = createClient({
  url: async () => `${(await token(CONSENT)).api.replace(/^http/, "ws")}/graphql`,
  connectionParams: async () => ({ Authorization: `Bearer ${(await token(CONSENT)).token}` }),
});

const subscribe: SubscribeFunction = ({ text, name }, variables) =>
  Observable.create((sink) =>
    socket.subscribe(
      { query: text!, operationName: name, variables },
      {
        next: (event) => {
          if (event.errors?.[0]) sink.error(apiError(event.errors));
          else sink.next(event as GraphQLResponse);
        },
        error: (failure) => sink.error(apiError(failure)),
        complete: () => sink.complete(),
      },
    ),
  );

export const environment = new Environment({
  network: Network.create(fetchOperation, subscribe),
  store: new Store(new RecordSource()),
});
