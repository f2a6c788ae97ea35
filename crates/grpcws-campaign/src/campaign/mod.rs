//! `grpcws-campaign campaign`: many short calls, broken at random on both sides, each checked by what it asked for.
//!
//! [`plan`] draws calls, [`mod@unit`] opens their connection, [`call`] carries one out, [`proxy`] breaks connections,
//! [`world`] has the processes and [`chaos`] stops and kills them, [`mod@victims`] are clients that are stopped and killed,
//! [`ledger`] compares the upstream's books with what the clients did, [`mod@run`] counts. [`offsets`] cuts at every byte.

pub(crate) mod call;
mod chaos;
mod ledger;
mod offsets;
mod plan;
mod proxy;
mod run;
mod unit;
mod victims;
mod world;

pub(crate) use offsets::{CutArguments, cuts};
pub(crate) use run::{CampaignArguments, run};
pub(crate) use victims::{VictimArguments, victims};
