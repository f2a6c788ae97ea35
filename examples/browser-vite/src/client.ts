// The clients that Connect-ES generates, on grpcws. The rest of the app does not know about WebSockets.
import { ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWsBinaryTransport } from "grpcws/connect";
import { GameService } from "./gen/game/v1/game_pb.ts";
import { PictureService } from "./gen/game/v1/picture_pb.ts";
import { SwitchedWebSocket } from "./network.ts";

const transport = createGrpcWsBinaryTransport({ baseUrl: location.origin, WebSocket: SwitchedWebSocket });

export const games = createClient(GameService, transport);
export const pictures = createClient(PictureService, transport);

/** Returns an error's text for the user, without the name of its code. */
export const textOf = (error: unknown): string => ConnectError.from(error).rawMessage;
