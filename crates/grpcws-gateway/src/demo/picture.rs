//! Pictures in the chat of a game, as a gRPC service.
//!
//! Memory is bounded: the newest [`MAX_PICTURES`] are kept, and as many uploads run at once, each of [`MAX_BYTES`] at most.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::Semaphore;
use tokio_stream::StreamExt as _;
use tonic::{Request, Response, Status, Streaming};

use super::command::{Command, Deed, check_game_id, check_player_id, checked_text};
use super::error::GameError;
use super::proto::picture_service_server::PictureService as PictureServiceMethods;
use super::proto::upload_request::Part;
use super::proto::{DownloadRequest, DownloadResponse, Picture, UploadHead, UploadRequest};
use super::room::Rooms;

/// How many pictures are kept, and how many uploads run at the same time.
const MAX_PICTURES: usize = 16;
/// Bytes of one picture.
const MAX_BYTES: usize = 4 << 20;
/// Bytes of a piece of a download.
const PIECE_BYTES: usize = 16 << 10;
/// How long an upload may hold its place.
const UPLOAD_LIMIT: Duration = Duration::from_secs(300);
const MEDIA_TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// The service for pictures in the games' chats. Clones share the pictures.
#[derive(Debug, Clone)]
pub struct PictureService {
    rooms: Rooms,
    kept: Arc<Mutex<Kept>>,
    uploads: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The newest one last.
    pictures: VecDeque<(Picture, Bytes)>,
    uploaded: u64,
}

impl PictureService {
    pub(super) fn new(rooms: Rooms) -> Self {
        Self { rooms, kept: Arc::default(), uploads: Arc::new(Semaphore::new(MAX_PICTURES)) }
    }

    /// Takes a picture and shares it in the chat.
    ///
    /// # Errors
    /// The first error of `parts`, or the first rule of the proto that they break; nothing is kept then.
    ///
    /// # Cancel safety
    /// Nothing is kept of an upload whose future is dropped.
    pub async fn receive<S, E>(&self, parts: S) -> Result<Picture, Status>
    where
        S: Stream<Item = Result<UploadRequest, E>> + Unpin,
        E: Into<Status>,
    {
        let _permit = self.uploads.try_acquire().map_err(|_| GameError::TooManyUploads)?;
        let upload = tokio::time::timeout(UPLOAD_LIMIT, collect(parts));
        let (head, data) = upload.await.map_err(|_| GameError::UploadTooSlow)??;
        Ok(self.keep_and_say(&head, data)?)
    }

    /// Keeps a picture once its game has taken it. Who hears of it and asks for it at once waits for the lock.
    fn keep_and_say(&self, head: &UploadHead, data: Vec<u8>) -> Result<Picture, GameError> {
        let mut kept = lock(&self.kept);
        let picture = Picture {
            picture_id: (kept.uploaded + 1).to_string(),
            media_type: head.media_type.clone(),
            size: i64::try_from(data.len()).unwrap_or(i64::MAX),
        };
        self.say(head, &picture)?;
        kept.uploaded += 1;
        if kept.pictures.len() == MAX_PICTURES {
            kept.pictures.pop_front();
        }
        kept.pictures.push_back((picture.clone(), data.into()));
        Ok(picture)
    }

    fn say(&self, head: &UploadHead, picture: &Picture) -> Result<(), GameError> {
        let deed = Deed::Share(checked_text(&head.text)?, picture.clone());
        let now = SystemTime::now();
        let room = self.rooms.enter(&head.game_id, now)?;
        room.join_and_apply(&head.player_id, Command { sequence: 0, deed }, now)?;
        Ok(())
    }

    /// The pieces of a picture.
    ///
    /// # Errors
    /// `NOT_FOUND` if it is not kept.
    pub fn pieces(&self, request: &DownloadRequest) -> Result<PictureStream, GameError> {
        let kept = lock(&self.kept);
        let found = kept.pictures.iter().find(|(picture, _)| picture.picture_id == request.picture_id);
        found.map(|(_, data)| PictureStream { rest: data.clone() }).ok_or(GameError::PictureNotFound)
    }
}

/// The pictures stay whole between calls, so a panic elsewhere is no reason to lose them.
fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads an upload to its half-close.
///
/// The size shows whether all of it has come, since tonic's server ends the requests of a cancelled call in the same way
/// as those of a half-closed one.
async fn collect<S, E>(mut parts: S) -> Result<(UploadHead, Vec<u8>), Status>
where
    S: Stream<Item = Result<UploadRequest, E>> + Unpin,
    E: Into<Status>,
{
    let mut head = None;
    let mut data = Vec::new();
    let mut size = 0;
    while let Some(part) = parts.next().await {
        match (part.map_err(Into::into)?.part, &head) {
            (Some(Part::Head(first)), None) => {
                size = checked_size(&first)?;
                head = Some(checked(first)?);
            }
            (Some(Part::Data(piece)), Some(_)) if data.len() + piece.len() > size => {
                return Err(GameError::OtherSize.into());
            }
            (Some(Part::Data(piece)), Some(_)) => data.extend_from_slice(&piece),
            _ => return Err(GameError::InvalidUpload.into()),
        }
    }
    let head = head.ok_or(GameError::InvalidUpload)?;
    if data.len() < size {
        return Err(GameError::OtherSize.into());
    }
    Ok((head, data))
}

fn checked_size(head: &UploadHead) -> Result<usize, GameError> {
    match usize::try_from(head.size) {
        Err(_) | Ok(0) => Err(GameError::EmptyPicture),
        Ok(size) if size > MAX_BYTES => Err(GameError::PictureTooLarge),
        Ok(size) => Ok(size),
    }
}

/// Refuses a head before anything of the picture is taken.
fn checked(head: UploadHead) -> Result<UploadHead, GameError> {
    check_game_id(&head.game_id)?;
    check_player_id(&head.player_id)?;
    checked_text(&head.text)?;
    if !MEDIA_TYPES.contains(&head.media_type.as_str()) {
        return Err(GameError::InvalidMediaType);
    }
    Ok(head)
}

/// The pieces of a picture: the answer to `Download`.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct PictureStream {
    rest: Bytes,
}

impl Stream for PictureStream {
    type Item = Result<DownloadResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let rest = &mut self.get_mut().rest;
        let piece = rest.split_to(rest.len().min(PIECE_BYTES));
        Poll::Ready((!piece.is_empty()).then(|| Ok(DownloadResponse { data: piece.into() })))
    }
}

#[tonic::async_trait]
impl PictureServiceMethods for PictureService {
    type DownloadStream = PictureStream;

    async fn upload(&self, request: Request<Streaming<UploadRequest>>) -> Result<Response<Picture>, Status> {
        Ok(Response::new(self.receive(request.into_inner()).await?))
    }

    async fn download(
        &self,
        request: Request<DownloadRequest>,
    ) -> Result<Response<Self::DownloadStream>, Status> {
        Ok(Response::new(self.pieces(request.get_ref())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::GameService;
    use crate::demo::game::SEATS;
    use crate::demo::proto::{GetGameRequest, SubscribeRequest};

    fn head(media_type: &str, size: i64) -> UploadRequest {
        let text = |text: &str| text.to_owned();
        let head = UploadHead {
            game_id: text("lobby"),
            player_id: text("ada"),
            media_type: text(media_type),
            text: text("look"),
            size,
        };
        UploadRequest { part: Some(Part::Head(head)) }
    }

    fn data(bytes: usize) -> UploadRequest {
        UploadRequest { part: Some(Part::Data(vec![7; bytes])) }
    }

    async fn upload(service: &GameService, parts: Vec<UploadRequest>) -> Result<Picture, String> {
        let parts = tokio_stream::iter(parts.into_iter().map(Ok::<_, Status>));
        service.pictures().receive(parts).await.map_err(|status| status.message().to_owned())
    }

    async fn download(service: &GameService, picture_id: &str) -> Result<Vec<usize>, GameError> {
        let pieces = service.pictures().pieces(&DownloadRequest { picture_id: picture_id.to_owned() })?;
        Ok(pieces.map(|piece| piece.unwrap().data.len()).collect().await)
    }

    #[tokio::test]
    async fn a_picture_is_said_in_the_chat_and_can_be_had_in_pieces() {
        let service = GameService::default();
        let picture = upload(&service, vec![head("image/png", 20_001), data(20_000), data(1)]).await.unwrap();
        assert_eq!((picture.size, picture.media_type.as_str()), (20_001, "image/png"));
        let snapshot = service.game(&GetGameRequest { game_id: "lobby".into() }).unwrap();
        let chat = &snapshot.recent_chat[0];
        assert_eq!((chat.player_id.as_str(), chat.text.as_str()), ("ada", "look"));
        assert_eq!(chat.picture.as_ref(), Some(&picture));
        assert_eq!(
            download(&service, &picture.picture_id).await,
            Ok(vec![PIECE_BYTES, 20_001 - PIECE_BYTES])
        );
    }

    #[tokio::test]
    async fn what_is_no_picture_is_refused_and_not_kept() {
        let service = GameService::default();
        let order = "the first message of an upload must be the head, and all others data";
        let media_type = "media_type must be image/png, image/jpeg, image/gif or image/webp";
        let size = "the picture does not have the size that its upload's head gives";
        let large = i64::try_from(MAX_BYTES).unwrap() + 1;
        for (parts, error) in [
            (vec![], order),
            (vec![data(1)], order),
            (vec![head("image/png", 1), head("image/png", 1)], order),
            (vec![head("image/png", 0)], "the picture is empty"),
            (vec![head("image/png", large)], "the picture is larger than 4 MiB"),
            (vec![head("image/svg+xml", 1), data(1)], media_type),
            (vec![head("image/png", 3), data(2), data(2)], size),
            (vec![head("image/png", 3), data(2)], size),
        ] {
            assert_eq!(upload(&service, parts).await.err().as_deref(), Some(error));
        }
        assert_eq!(download(&service, "1").await, Err(GameError::PictureNotFound));
    }

    #[tokio::test]
    async fn an_upload_that_breaks_is_not_kept() {
        let service = GameService::default();
        let parts = [Ok(head("image/png", 1)), Ok(data(1)), Err(Status::cancelled("gone"))];
        let status = service.pictures().receive(tokio_stream::iter(parts)).await.err().unwrap();
        assert_eq!(status.message(), "gone");
        assert_eq!(download(&service, "1").await, Err(GameError::PictureNotFound));
    }

    #[tokio::test]
    async fn a_picture_that_its_game_refuses_takes_no_place_of_a_kept_one() {
        let service = GameService::default();
        let by = |player: usize| {
            let mut request = head("image/png", 1);
            if let Some(Part::Head(head)) = &mut request.part {
                head.player_id = format!("player-{player}");
            }
            vec![request, data(1)]
        };
        let mut streams = Vec::new();
        for player in 0..SEATS {
            let request = SubscribeRequest {
                game_id: "lobby".into(),
                player_id: format!("player-{player}"),
                max_events: 0,
            };
            streams.push(service.events(&request).unwrap());
            upload(&service, by(player)).await.unwrap();
        }
        for _ in SEATS..MAX_PICTURES {
            upload(&service, by(0)).await.unwrap();
        }
        assert_eq!(upload(&service, by(SEATS)).await.err(), Some(GameError::GameFull.to_string()));
        assert!(download(&service, "1").await.is_ok());
        assert_eq!(upload(&service, by(0)).await.unwrap().picture_id, "17");
        assert_eq!(download(&service, "1").await, Err(GameError::PictureNotFound));
    }

    #[tokio::test]
    async fn the_newest_pictures_are_kept() {
        let service = GameService::default();
        for _ in 0..=MAX_PICTURES {
            upload(&service, vec![head("image/png", 1), data(1)]).await.unwrap();
        }
        assert_eq!(download(&service, "1").await, Err(GameError::PictureNotFound));
        assert!(download(&service, "2").await.is_ok() && download(&service, "17").await.is_ok());
    }

    #[tokio::test]
    async fn uploads_at_the_same_time_are_bounded() {
        let service = GameService::default();
        let held = service.pictures().uploads.clone().try_acquire_many_owned(16).unwrap();
        let refused = upload(&service, vec![head("image/png", 1), data(1)]).await;
        assert_eq!(refused.err().as_deref(), Some("too many uploads at once"));
        drop(held);
        assert!(upload(&service, vec![head("image/png", 1), data(1)]).await.is_ok());
    }
}
