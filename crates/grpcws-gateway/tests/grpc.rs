//! The game as gRPC, on its own port and beside WebSocket, REST and the page, with reflection on both.

mod common;

use common::Demo;
use grpcws_gateway::demo::proto::GetGameRequest;
use grpcws_gateway::demo::proto::game_service_client::GameServiceClient;
use tonic::Code;
use tonic::transport::Endpoint;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

#[tokio::test]
async fn both_ports_serve_grpc_with_reflection() {
    let demo = Demo::start("1").await;
    for address in [&demo.grpc_address, &demo.address] {
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .expect("a valid address")
            .connect()
            .await
            .expect("it listens");
        let status = GameServiceClient::new(channel.clone())
            .get_game(GetGameRequest { game_id: "missing".to_owned() })
            .await
            .expect_err("there is no such game");
        assert_eq!((status.code(), status.message()), (Code::NotFound, "game not found"));

        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let responses = ServerReflectionClient::new(channel)
            .server_reflection_info(tokio_stream::once(request))
            .await
            .expect("there is reflection");
        let response = responses.into_inner().message().await.expect("an answer").expect("one");
        let Some(MessageResponse::ListServicesResponse(list)) = response.message_response else {
            panic!("{response:?}")
        };
        assert!(list.service.iter().any(|service| service.name == "game.v1.GameService"), "{list:?}");
    }
}
