//! An axum app with typed handlers for the three streaming methods of `grpcws.test.v1`, on any server that
//! has them.

use axum::Router;
use axum::extract::RawQuery;
use axum::routing::any;
use grpcws::json::Table;
use grpcws::{
    BidiStreamHandler, ClientStreamHandler, ConnectionOptions, GrpcWs, ServerStreamHandler, Shutdown, Status,
    UnknownMessage,
};
use grpcws_test::pb::ServerStreamRequest;
use grpcws_test::pb::test_service_client::TestServiceClient;
use tonic::transport::Channel;

/// Handlers with these options.
pub(crate) fn grpcws(options: ConnectionOptions, shutdown: &Shutdown) -> GrpcWs {
    let table = Table::from_file_descriptor_set(grpcws_test::FILE_DESCRIPTOR_SET).expect("own descriptors");
    GrpcWs::new(table).options(options).shutdown(shutdown.clone())
}

/// The routes `/ws/test/server-stream`, `/ws/test/client-stream` and `/ws/test/bidi`.
pub(crate) fn app(ws: &GrpcWs, channel: Channel) -> Result<Router, UnknownMessage> {
    let client = TestServiceClient::new(channel)
        .max_decoding_message_size(usize::MAX)
        .max_encoding_message_size(usize::MAX);
    let server_stream = ServerStreamHandler::new(
        ws,
        {
            let client = client.clone();
            move |request: ServerStreamRequest, call| {
                let mut client = client.clone();
                async move { client.server_stream(call.request(request)).await }
            }
        },
        |RawQuery(query): RawQuery| async move {
            grpcws_test::from_query::<ServerStreamRequest>(query.as_deref().unwrap_or_default())
                .map_err(|error| Status::invalid_argument(error.to_string()))
        },
    )?;
    let client_stream = ClientStreamHandler::new(ws, {
        let client = client.clone();
        move |requests, call| {
            let mut client = client.clone();
            async move { client.client_stream(call.streaming_request(requests)).await }
        }
    })?;
    let bidi = BidiStreamHandler::new(ws, move |requests, call| {
        let mut client = client.clone();
        async move { client.bidi(call.streaming_request(requests)).await }
    })?;
    Ok(Router::new()
        .route("/ws/test/server-stream", any(server_stream))
        .route("/ws/test/client-stream", any(client_stream))
        .route("/ws/test/bidi", any(bidi)))
}
