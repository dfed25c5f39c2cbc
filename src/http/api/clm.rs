//! The predecessor's calls about models (SPEC §4.6). Programs depend on them as they are: what these send besides, which
//! the predecessor passed over, is passed over here too, and what it refused in words it refused with 400.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::blocking;
use super::examples::registry as examples;
use crate::app::App;
use crate::app::answers::registry::{ClmModels, ClmStatus};
use crate::domain::access::Actor;
use crate::domain::model::{ModelId, ModelStatus, ModelType, VersionName};
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::{Body, IfMatch, Key, Params};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
