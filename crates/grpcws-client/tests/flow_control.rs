//! Neither side runs ahead of the other, and an end is never behind data.

mod common;

use std::time::Duration;

use common::{Gateway, method, options, soon};
use grpcws::ConnectionOptions;
use grpcws_client::HttpVersion::{Http1, Http2};
use grpcws_client::{CallEvent, ClientOptions, Code};
use grpcws_test::pb::{ClientStreamRequest, Script, ServerStreamRequest};
use prost::Message as _;

#[tokio::test]
async fn a_credit_of_one_lets_one_message_lie_ready() {
    let gateway = Gateway::start().await;
    for version in [Http1, Http2] {
        let client = gateway.client(
            ClientOptions::builder().http_version(version).credit(Some(1)).build().expect("valid options"),
        );
        let mut call = client.call(&method("ServerStream"), options());
        let request =
            ServerStreamRequest { count: 1000, size: 1000, first_sequence: 1, ..Default::default() };
        soon(call.send(request.encode_to_vec())).await.expect("it is sent");
        call.half_close();
        let mut messages = 0;
        while let Some(event) = soon(call.next()).await {
            match event {
                CallEvent::Message(message) => messages += usize::from(message.len() > 1000),
                CallEvent::End(status) => assert!(status.is_ok(), "{status:?}"),
                _ => {}
            }
        }
        assert_eq!(messages, 1000);
    }
}

#[tokio::test]
async fn the_service_does_not_run_ahead_of_the_application() {
    let gateway = Gateway::start().await;
    // Messages of 10 KB: a credit of three of them, and what the kernel's buffers hold.
    for (version, credit, ahead) in
        [(Http1, Some(30_000), 20), (Http2, Some(30_000), 20), (Http1, None, 3_000), (Http2, None, 3_000)]
    {
        let client = gateway.client(
            ClientOptions::builder().http_version(version).credit(credit).build().expect("valid options"),
        );
        let mut call = client.call(&method("ServerStream"), options());
        let tag = format!("{version:?} {credit:?}");
        let request =
            ServerStreamRequest { count: 1_000_000, size: 10_000, tag: tag.clone(), ..Default::default() };
        soon(call.send(request.encode_to_vec())).await.expect("it is sent");
        call.half_close();
        let mut taken = 0;
        while taken < 500 {
            taken += i64::from(matches!(soon(call.next()).await, Some(CallEvent::Message(_))));
        }
        // What lies ready is still given out, and then the end.
        call.cancel();
        let mut end = None;
        while let Some(event) = soon(call.next()).await {
            match event {
                CallEvent::Message(_) => taken += 1,
                CallEvent::End(status) => end = Some(status.code()),
                _ => {}
            }
        }
        assert_eq!(end, Some(Code::Cancelled), "{tag}");
        gateway.settle().await;
        let sent = gateway.service.stats_of(&tag, 1).recent[0].sent;
        assert!((taken..taken + ahead).contains(&sent), "{tag}: {taken} were taken and {sent} sent");
    }
}

#[tokio::test]
async fn a_deadline_ends_a_call_that_nobody_reads() {
    let gateway = Gateway::start().await;
    for credit in [Some(10_000), None] {
        let client = gateway.client(ClientOptions::builder().credit(credit).build().expect("valid options"));
        let timeout = options().timeout(Duration::from_millis(300));
        let mut call = client.call(&method("ServerStream"), timeout);
        let request = ServerStreamRequest { count: 1_000_000, size: 10_000, ..Default::default() };
        soon(call.send(request.encode_to_vec())).await.expect("it is sent");
        gateway.live(1).await;
        gateway.settle().await;
        let mut end = None;
        while let Some(event) = soon(call.next()).await {
            if let CallEvent::End(status) = event {
                end = Some(status.code());
            }
        }
        assert_eq!(end, Some(Code::DeadlineExceeded));
    }
}

#[tokio::test]
async fn an_upload_that_nobody_takes_can_be_cancelled() {
    let connection = ConnectionOptions::builder().receive_window(10_000).receive_window_max(10_000);
    let gateway = Gateway::start_with(connection.build().expect("valid options")).await;
    for version in [Http1, Http2] {
        let client =
            gateway.client(ClientOptions::builder().http_version(version).build().expect("valid options"));
        let (mut requests, mut responses) = client.call(&method("ClientStream"), options()).split();
        let script = Script { pause_after: 1, pause_ms: u32::MAX, ..Default::default() };
        let first = ClientStreamRequest { script: Some(script), ..Default::default() };
        soon(requests.send(first.encode_to_vec())).await.expect("it is sent");
        let message =
            ClientStreamRequest { payload: vec![0; 1000].into(), ..Default::default() }.encode_to_vec();
        let mut taken = 0;
        // The gateway's receive window is the room that there is.
        while tokio::time::timeout(Duration::from_millis(300), requests.send(message.clone())).await.is_ok() {
            taken += 1;
            assert!(taken < 100, "nothing holds the upload back");
        }
        requests.cancel();
        let end = async {
            loop {
                if let Some(CallEvent::End(status)) = responses.next().await {
                    return status;
                }
            }
        };
        let status = soon(end).await;
        assert_eq!((status.code(), status.message()), (Code::Cancelled, "call cancelled by the client"));
        gateway.settle().await;
    }
    assert_eq!(gateway.service.stats().cancelled, 2);
}
