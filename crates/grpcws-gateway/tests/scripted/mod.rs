//! A reflection service that answers as a test says.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::server_reflection_server::{ServerReflection, ServerReflectionServer};
use tonic_reflection::pb::v1::{
    ErrorResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest,
    ServerReflectionResponse, ServiceResponse,
};

/// What is asked → what is answered, as the response or as the end of the stream.
type Script = dyn FnMut(MessageRequest) -> Result<MessageResponse, Status> + Send;

#[derive(Clone)]
pub(crate) struct Scripted(Arc<Mutex<Script>>);

impl Scripted {
    pub(crate) fn new(
        script: impl FnMut(MessageRequest) -> Result<MessageResponse, Status> + Send + 'static,
    ) -> Self {
        Self(Arc::new(Mutex::new(script)))
    }

    /// A server in this process.
    pub(crate) fn routes(self) -> Routes {
        Routes::new(ServerReflectionServer::new(self))
    }
}

#[tonic::async_trait]
impl ServerReflection for Scripted {
    type ServerReflectionInfoStream = ReceiverStream<Result<ServerReflectionResponse, Status>>;

    async fn server_reflection_info(
        &self,
        request: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let (answers, stream) = mpsc::channel(1);
        let script = Arc::clone(&self.0);
        let mut questions = request.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(question)) = questions.message().await {
                let asked = question.message_request.expect("a question");
                let answer =
                    (script.lock().expect("no panic"))(asked).map(|answer| ServerReflectionResponse {
                        message_response: Some(answer),
                        ..ServerReflectionResponse::default()
                    });
                let ends = answer.is_err();
                if answers.send(answer).await.is_err() || ends {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

pub(crate) fn services(names: &[&str]) -> Result<MessageResponse, Status> {
    let service = names.iter().map(|name| ServiceResponse { name: (*name).to_owned() }).collect();
    Ok(MessageResponse::ListServicesResponse(ListServiceResponse { service }))
}

pub(crate) fn files(file_descriptor_proto: Vec<Vec<u8>>) -> Result<MessageResponse, Status> {
    Ok(MessageResponse::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto }))
}

/// As most servers say that something is not there.
pub(crate) fn not_found(name: &str) -> Result<MessageResponse, Status> {
    Ok(MessageResponse::ErrorResponse(ErrorResponse { error_code: 5, error_message: format!("no {name}") }))
}

/// The files of `tests/proto/shop.proto` and its imports, by name.
pub(crate) fn shop() -> HashMap<String, Vec<u8>> {
    compiled(&["shop.proto"])
}

/// These files of `tests/proto` and their imports, by name.
pub(crate) fn compiled(names: &[&str]) -> HashMap<String, Vec<u8>> {
    #[derive(Clone, PartialEq, prost::Message)]
    struct RawSet {
        #[prost(bytes = "vec", repeated, tag = "1")]
        file: Vec<Vec<u8>>,
    }
    let files = RawSet::decode(&*compiled_set(names)).expect("a descriptor set").file;
    let name =
        |bytes: &[u8]| prost_types::FileDescriptorProto::decode(bytes).expect("a file").name().to_owned();
    files.into_iter().map(|bytes| (name(&bytes), bytes)).collect()
}

/// The shop as a serialized `FileDescriptorSet`.
pub(crate) fn shop_set() -> Vec<u8> {
    compiled_set(&["shop.proto"])
}

fn compiled_set(names: &[&str]) -> Vec<u8> {
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto");
    let mut compiler = protox::Compiler::new([protos]).expect("the folder is there");
    compiler.include_imports(true).open_files(names).expect("they compile");
    compiler.encode_file_descriptor_set()
}

/// Answers about the shop, one file at a time, as grpc-go does; `hidden` files are not to be had.
pub(crate) fn shop_server(hidden: &'static [&'static str]) -> Scripted {
    let shop = shop();
    Scripted::new(move |asked| match asked {
        MessageRequest::ListServices(_) => services(&["shop.v1.Shop"]),
        MessageRequest::FileContainingSymbol(name) if name == "shop.v1.Shop" => {
            files(shop.get("shop.proto").cloned().into_iter().collect())
        }
        MessageRequest::FileByFilename(name) if !hidden.contains(&&*name) => match shop.get(&name) {
            Some(bytes) => files(vec![bytes.clone()]),
            None => not_found(&name),
        },
        MessageRequest::FileByFilename(name) | MessageRequest::FileContainingSymbol(name) => not_found(&name),
        other => panic!("not asked for: {other:?}"),
    })
}
