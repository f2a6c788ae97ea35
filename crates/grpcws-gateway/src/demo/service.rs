//! The game as a gRPC service.

use std::time::SystemTime;

use futures_core::Stream;
use tokio_stream::StreamExt as _;
use tonic::{Request, Response, Status, Streaming};

use super::command::{Caller, IntoCommand as _};
use super::error::GameError;
use super::picture::PictureService;
use super::proto::game_service_server::GameService as GameServiceMethods;
use super::proto::{
    CommandSummary, GameCommand, GameSnapshot, GetGameRequest, PlayerAction, SubscribeRequest,
};
use super::room::{Answer, Rooms};
use super::stream::{EventStream, UpdateStream};

/// The game service. Clones share the games, so one value can be mounted as gRPC, WebSocket and REST at once.
///
/// The methods of this type are the service's methods without tonic's requests and responses around them.
#[derive(Debug, Clone)]
pub struct GameService {
    rooms: Rooms,
    pictures: PictureService,
}

impl Default for GameService {
    fn default() -> Self {
        let rooms = Rooms::default();
        Self { pictures: PictureService::new(rooms.clone()), rooms }
    }
}

impl GameService {
    /// The service for the pictures in these games' chats.
    #[must_use]
    pub fn pictures(&self) -> PictureService {
        self.pictures.clone()
    }

    /// The present state of a game.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for an id that no game can have, `NOT_FOUND` where the game does not exist.
    pub fn game(&self, request: &GetGameRequest) -> Result<GameSnapshot, GameError> {
        Ok(self.rooms.find(&request.game_id)?.snapshot(SystemTime::now()))
    }

    /// The events of a game, a snapshot first.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for ids or a limit that cannot be, `NOT_FOUND` for the game `missing`,
    /// `RESOURCE_EXHAUSTED` where there are too many games or streams.
    pub fn events(&self, request: &SubscribeRequest) -> Result<EventStream, GameError> {
        let max_events = match request.max_events {
            ..0 => return Err(GameError::InvalidMaxEvents),
            0 => None,
            limit => Some(limit),
        };
        let now = SystemTime::now();
        let subscription = self.rooms.enter(&request.game_id, now)?.subscribe(&request.player_id, now)?;
        Ok(EventStream::new(subscription, max_events))
    }

    /// Plays: applies the actions and tells what happens. Errors end the stream that this returns.
    pub fn play<S, E>(&self, caller: Caller, actions: S) -> UpdateStream<S>
    where
        S: Stream<Item = Result<PlayerAction, E>> + Unpin,
        E: Into<Status>,
    {
        UpdateStream::new(self.rooms.clone(), caller, actions)
    }

    /// Applies commands until they end.
    ///
    /// # Errors
    /// The first error of `commands`, or of a command that breaks a rule of the proto; what came before it stays
    /// applied. `RESOURCE_EXHAUSTED` where there are too many games or players.
    ///
    /// # Cancel safety
    /// What was applied before the future is dropped stays applied.
    pub async fn run_commands<S, E>(
        &self,
        mut caller: Caller,
        mut commands: S,
    ) -> Result<CommandSummary, Status>
    where
        S: Stream<Item = Result<GameCommand, E>> + Unpin,
        E: Into<Status>,
    {
        let mut summary = CommandSummary::default();
        let mut room = None;
        while let Some(command) = commands.next().await {
            let command = command.map_err(Into::into)?;
            let now = SystemTime::now();
            summary.received += 1;
            summary.started_at.get_or_insert_with(|| now.into());
            let command = command.into_command(&mut caller)?;
            let room = match &room {
                Some(room) => room,
                None => room.insert(self.rooms.enter(caller.game_id(), now)?),
            };
            match room.join_and_apply(caller.player_id(), command, now)? {
                Answer::Applied => summary.applied += 1,
                Answer::Rejected(reason) => {
                    *summary.rejected.entry(reason.as_str_name().to_owned()).or_default() += 1;
                }
            }
        }
        if let Some(room) = room {
            caller.game_id().clone_into(&mut summary.game_id);
            caller.player_id().clone_into(&mut summary.player_id);
            summary.version = room.version();
            summary.points = room.points_of(caller.player_id());
        }
        summary.finished_at = Some(SystemTime::now().into());
        Ok(summary)
    }
}

#[tonic::async_trait]
impl GameServiceMethods for GameService {
    type SubscribeStream = EventStream;
    type SyncGameStream = UpdateStream<Streaming<PlayerAction>>;

    async fn get_game(&self, request: Request<GetGameRequest>) -> Result<Response<GameSnapshot>, Status> {
        Ok(Response::new(self.game(request.get_ref())?))
    }

    async fn subscribe(
        &self,
        request: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        Ok(Response::new(self.events(request.get_ref())?))
    }

    async fn send_commands(
        &self,
        request: Request<Streaming<GameCommand>>,
    ) -> Result<Response<CommandSummary>, Status> {
        let caller = Caller::from_metadata(request.metadata());
        Ok(Response::new(self.run_commands(caller, request.into_inner()).await?))
    }

    async fn sync_game(
        &self,
        request: Request<Streaming<PlayerAction>>,
    ) -> Result<Response<Self::SyncGameStream>, Status> {
        let caller = Caller::from_metadata(request.metadata());
        Ok(Response::new(self.play(caller, request.into_inner())))
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::ReceiverStream;
    use tonic::Code;

    use super::*;
    use crate::demo::proto::game_event::Event;
    use crate::demo::proto::game_service_client::GameServiceClient;
    use crate::demo::proto::game_service_server::GameServiceServer;
    use crate::demo::proto::game_update::Update;
    use crate::demo::proto::{
        Direction, GameEvent, GameUpdate, Join, Leave, Move, RejectionReason, Say, game_command,
        player_action,
    };

    type Client = GameServiceClient<GameServiceServer<GameService>>;

    fn client(service: &GameService) -> Client {
        GameServiceClient::new(GameServiceServer::new(service.clone()))
    }

    fn action(game_id: &str, player_id: &str, sequence: i64, action: player_action::Action) -> PlayerAction {
        PlayerAction { game_id: game_id.into(), player_id: player_id.into(), sequence, action: Some(action) }
    }

    fn join() -> player_action::Action {
        player_action::Action::Join(Join::default())
    }

    fn step(direction: Direction) -> player_action::Action {
        player_action::Action::Move(Move { direction: direction.into() })
    }

    /// A player with an open `SyncGame` stream.
    struct Playing {
        actions: mpsc::Sender<PlayerAction>,
        updates: Streaming<GameUpdate>,
    }

    async fn play(service: &GameService, player_id: &str) -> Playing {
        let (actions, receiver) = mpsc::channel(16);
        let updates = client(service).sync_game(ReceiverStream::new(receiver)).await.unwrap().into_inner();
        actions.send(action("lobby", player_id, 1, join())).await.unwrap();
        Playing { actions, updates }
    }

    impl Playing {
        async fn event_where(&mut self, wanted: impl Fn(&GameEvent) -> bool) -> GameEvent {
            loop {
                match self.updates.message().await.unwrap().expect("the stream goes on").update {
                    Some(Update::Event(event)) if wanted(&event) => return event,
                    _ => {}
                }
            }
        }
    }

    #[tokio::test]
    async fn what_one_player_does_the_other_one_sees() {
        let service = GameService::default();
        let mut ada = play(&service, "ada").await;
        let mut bob = play(&service, "bob").await;
        let from_ada = |event: &GameEvent| event.player_id == "ada" && event.sequence == 2;
        bob.event_where(|event| matches!(event.event, Some(Event::Snapshot(_)))).await;
        let say = player_action::Action::Say(Say { text: "hello".into() });
        ada.actions.send(action("", "", 2, say)).await.unwrap();
        for event in [ada.event_where(from_ada).await, bob.event_where(from_ada).await] {
            assert!(matches!(&event.event, Some(Event::Chat(chat)) if chat.text == "hello"), "{event:?}");
        }
    }

    #[tokio::test]
    async fn half_close_delivers_what_has_happened_and_ends_with_ok() {
        let service = GameService::default();
        let Playing { actions, mut updates } = play(&service, "ada").await;
        for sequence in 2..12 {
            let say = player_action::Action::Say(Say { text: sequence.to_string() });
            actions.send(action("lobby", "ada", sequence, say)).await.unwrap();
        }
        drop(actions);
        let mut sequences = Vec::new();
        while let Some(update) = updates.message().await.unwrap() {
            if let Some(Update::Event(event)) = update.update {
                sequences.push(event.sequence);
            }
        }
        assert_eq!(sequences, (0..12).collect::<Vec<_>>(), "the snapshot, the join, all messages");
        drop(updates);
        let snapshot = service.game(&GetGameRequest { game_id: "lobby".into() }).unwrap();
        assert_eq!(snapshot.players[0].presence(), crate::demo::proto::Presence::Away);
    }

    #[tokio::test]
    async fn an_action_against_the_rules_is_rejected_and_the_stream_goes_on() {
        let service = GameService::default();
        let Playing { actions, mut updates } = play(&service, "ada").await;
        tokio::spawn(async move {
            for sequence in 2..20 {
                actions.send(action("", "", sequence, step(Direction::Up))).await.unwrap();
            }
        });
        let mut last = None;
        while let Some(update) = updates.message().await.unwrap() {
            last = Some(update);
        }
        let Some(Update::Rejected(rejected)) = last.unwrap().update else { panic!("18 steps meet the wall") };
        assert_eq!((rejected.sequence, rejected.reason()), (19, RejectionReason::Wall));
    }

    /// The status that ends a `SyncGame` stream with these actions.
    async fn sync_status(actions: Vec<PlayerAction>) -> Option<(Code, String)> {
        let service = GameService::default();
        let mut updates = client(&service).sync_game(tokio_stream::iter(actions)).await.unwrap().into_inner();
        loop {
            match updates.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(status) => return Some((status.code(), status.message().to_owned())),
            }
        }
    }

    #[tokio::test]
    async fn streams_that_break_the_contract_end_with_its_status() {
        let error = |error: GameError| Some((error.code(), error.to_string()));
        let nothing = PlayerAction { action: None, ..action("lobby", "ada", 1, join()) };
        let cases = [
            (vec![], None),
            (vec![action("lobby", "ada", 1, join())], None),
            (vec![action("missing", "ada", 1, join())], Some((Code::NotFound, "game not found".into()))),
            (vec![action("Lobby!", "ada", 1, join())], error(GameError::InvalidGameId)),
            (vec![action("lobby", "", 1, join())], error(GameError::InvalidPlayerId)),
            (vec![action("lobby", "ada", 1, step(Direction::Up))], error(GameError::NotJoined)),
            (vec![action("lobby", "ada", 1, join()), nothing], error(GameError::NothingToDo)),
            (
                vec![action("lobby", "ada", 1, join()), action("den", "", 2, join())],
                error(GameError::OtherGame),
            ),
            (
                vec![
                    action("lobby", "ada", 1, join()),
                    action("", "", 2, player_action::Action::Leave(Leave {})),
                    action("", "", 3, step(Direction::Up)),
                ],
                error(GameError::NotJoined),
            ),
        ];
        for (actions, expected) in cases {
            assert_eq!(sync_status(actions.clone()).await, expected, "{actions:?}");
        }
    }

    #[tokio::test]
    async fn subscribe_begins_with_a_snapshot_and_ends_after_max_events() {
        let service = GameService::default();
        let request = SubscribeRequest { game_id: "lobby".into(), player_id: String::new(), max_events: 3 };
        let mut events = client(&service).subscribe(request).await.unwrap().into_inner();
        let first = events.message().await.unwrap().unwrap();
        assert!(matches!(first.event, Some(Event::Snapshot(_))));
        let mut ada = play(&service, "ada").await;
        for text in ["first", "second"] {
            let say = player_action::Action::Say(Say { text: text.into() });
            ada.actions.send(action("", "", 2, say)).await.unwrap();
        }
        ada.event_where(|event| matches!(&event.event, Some(Event::Chat(chat)) if chat.text == "second"))
            .await;
        let mut versions = Vec::new();
        while let Some(event) = events.message().await.unwrap() {
            versions.push(event.version);
        }
        assert_eq!(versions, [1, 2], "the join and the first message, but not the second");
    }

    #[tokio::test]
    async fn subscribe_and_get_game_refuse_what_cannot_be() {
        let service = GameService::default();
        let subscribe = async |game_id: &str, player_id: &str, max_events| {
            let request =
                SubscribeRequest { game_id: game_id.into(), player_id: player_id.into(), max_events };
            client(&service).subscribe(request).await.map(|_| ()).map_err(|status| status.code())
        };
        assert_eq!(subscribe("lobby", "", 0).await, Ok(()));
        assert_eq!(subscribe("missing", "ada", 0).await, Err(Code::NotFound));
        assert_eq!(subscribe("", "ada", 0).await, Err(Code::InvalidArgument));
        assert_eq!(subscribe("lobby", "a b", 0).await, Err(Code::InvalidArgument));
        assert_eq!(subscribe("lobby", "ada", -1).await, Err(Code::InvalidArgument));

        let game = async |game_id: &str| {
            let request = GetGameRequest { game_id: game_id.into() };
            client(&service).get_game(request).await.map(|_| ()).map_err(|status| status.code())
        };
        assert_eq!(game("lobby").await, Ok(()));
        assert_eq!(game("never-played").await, Err(Code::NotFound));
        assert_eq!(game("missing").await, Err(Code::NotFound));
        assert_eq!(game("NO").await, Err(Code::InvalidArgument));
    }

    fn command(command: game_command::Command) -> GameCommand {
        GameCommand { game_id: "lobby".into(), player_id: "ada".into(), sequence: 0, command: Some(command) }
    }

    #[tokio::test]
    async fn commands_are_applied_in_order_and_summed_up() {
        let service = GameService::default();
        let up = || command(game_command::Command::Move(Move { direction: Direction::Up.into() }));
        let mut commands: Vec<_> = (0..15).map(|_| up()).collect();
        commands.push(command(game_command::Command::Say(Say { text: "top".into() })));
        let summary =
            client(&service).send_commands(tokio_stream::iter(commands)).await.unwrap().into_inner();
        assert_eq!(summary.received, 16);
        let walls = summary.rejected["REJECTION_REASON_WALL"];
        assert!(walls >= 4, "the board has 12 rows");
        assert_eq!(summary.applied, 16 - walls);
        assert_eq!((summary.game_id.as_str(), summary.player_id.as_str()), ("lobby", "ada"));

        let snapshot = service.game(&GetGameRequest { game_id: "lobby".into() }).unwrap();
        assert_eq!(summary.version, snapshot.version);
        assert_eq!(summary.points, snapshot.players[0].points);
        assert_eq!(snapshot.players[0].position.unwrap().y, 0);
        assert_eq!(snapshot.recent_chat[0].text, "top");
    }

    #[tokio::test]
    async fn metadata_names_game_and_player_and_no_command_is_no_error() {
        let service = GameService::default();
        let mut request = Request::new(tokio_stream::iter([GameCommand {
            game_id: String::new(),
            ..command(game_command::Command::Join(Join::default()))
        }]));
        request.metadata_mut().insert("game-id", "den".parse().unwrap());
        let summary = client(&service).send_commands(request).await.unwrap().into_inner();
        assert_eq!((summary.game_id.as_str(), summary.applied), ("den", 1));

        let nothing = client(&service).send_commands(tokio_stream::empty()).await.unwrap().into_inner();
        assert_eq!((nothing.received, nothing.started_at), (0, None));
        assert!(nothing.finished_at.is_some());
    }
}
