//! `vend cloud`: the platform's open API from the command line, with the credentials of the configuration. The daemon
//! is not needed, and not asked.

mod caller;
mod change;
mod faults;
mod show;
mod simulate;

use super::ConfigArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Output, OutputArgs};
use crate::cli::usage::Misread;
use crate::cloud::open_platform::{
    Cabinet, CategoryId, CodeLength, PickupCode, PickupCodeId, Place, PlatformTime, ProductId,
};
use crate::order::key::Id;
use crate::order::motor::Address;
use crate::order::said::{Said, said};
use caller::Caller;
use clap::{Args, Subcommand};

/// What to do with the platform.
#[derive(Debug, Clone, Subcommand)]
pub enum CloudCommand {
    /// A call of its open API.
    #[command(flatten)]
    Call(Call),
    /// The log of payments that the cloud which sells could not be told of
    Faults(faults::FaultsArgs),
    /// A stand-in for the platform of this machine, or for another cloud, until SIGINT or SIGTERM
    Simulate(simulate::SimulateArgs),
}

/// What to ask of the platform.
#[derive(Debug, Clone, Subcommand)]
pub enum Call {
    /// Whether url, credentials and key are right
    Ping(CloudArgs),
    /// All machines of the merchant
    Machines(CloudArgs),
    /// This machine, as the platform knows it
    Machine(CloudArgs),
    /// What this machine sells, with stock and prices
    Products(ProductsArgs),
    /// The slots of this machine and their state
    Channels(CloudArgs),
    /// The categories of this machine's products
    Categories(CloudArgs),
    /// The pictures on this machine's screen
    Banners(CloudArgs),
    /// Orders: look at one, create, pay, cancel
    #[command(subcommand)]
    Order(OrderCall),
    /// Have the platform send a paid record to the machine; it turns a motor
    Dispense(DispenseArgs),
    /// What became of a dispense command
    #[command(subcommand)]
    Delivery(DeliveryCall),
    /// Have the platform turn a slot for a test; it turns a motor
    TestChannel(TestArgs),
    /// Pickup codes: make, list, cancel, consume
    #[command(subcommand)]
    Pickup(PickupCall),
    /// Tell the platform what was put into the machine
    Restock(RestockArgs),
}

/// Where the platform is, and how to tell.
#[derive(Debug, Clone, Args)]
pub struct CloudArgs {
    /// Where configuration and secrets are.
    #[command(flatten)]
    pub place: ConfigArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// For calls that change something.
#[derive(Debug, Clone, Args)]
pub struct ChangeArgs {
    /// Do not ask before something is changed
    #[arg(long)]
    pub yes: bool,
    /// Where the platform is.
    #[command(flatten)]
    pub cloud: CloudArgs,
}

/// Which part of the machine.
#[derive(Debug, Clone, Copy, Args)]
pub struct PlaceArgs {
    /// Only this cabinet, A to Z
    #[arg(long, value_name = "LETTER", value_parser = cabinet, conflicts_with = "addr")]
    pub cabinet: Option<Cabinet>,
    /// The driver board, counted from 1
    #[arg(long, value_name = "N", value_parser = board)]
    pub addr: Option<Address>,
}

impl PlaceArgs {
    fn place(self) -> Place {
        match (self.cabinet, self.addr) {
            (Some(cabinet), _) => Place::Cabinet(cabinet),
            (None, Some(address)) => Place::Board(address),
            (None, None) => Place::Main,
        }
    }
}

/// Arguments of `vend cloud products`.
#[derive(Debug, Clone, Args)]
pub struct ProductsArgs {
    /// Only this category
    #[arg(long, value_name = "ID")]
    pub category: Option<CategoryId>,
    /// Which part.
    #[command(flatten)]
    pub part: PlaceArgs,
    /// Everything, whatever the platform would leave out
    #[arg(long)]
    pub all: bool,
    /// Where the platform is.
    #[command(flatten)]
    pub cloud: CloudArgs,
}

/// What to do with an order.
#[derive(Debug, Clone, Subcommand)]
pub enum OrderCall {
    /// An order, as the platform knows it
    Show(OrderArgs),
    /// Create an order; it takes the goods out of the stock for 20 minutes
    Create(CreateArgs),
    /// Tell the platform that an order is paid
    Pay(OrderChangeArgs),
    /// Close an order; its goods go back to the stock
    Cancel(OrderChangeArgs),
}

/// Arguments of `vend cloud order show`.
#[derive(Debug, Clone, Args)]
pub struct OrderArgs {
    /// The order: 1 to 64 of 0-9 A-Z a-z _ . -
    #[arg(value_name = "ID", value_parser = id)]
    pub order_id: Id,
    /// Where the platform is.
    #[command(flatten)]
    pub cloud: CloudArgs,
}

/// Arguments of `vend cloud order pay` and `cancel`.
#[derive(Debug, Clone, Args)]
pub struct OrderChangeArgs {
    /// The order: 1 to 64 of 0-9 A-Z a-z _ . -
    #[arg(value_name = "ID", value_parser = id)]
    pub order_id: Id,
    /// Whether to ask, and where the platform is.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// What a new order says of its merchant.
#[derive(Debug, Clone, Args)]
pub struct MerchantArgs {
    /// The merchant's own number of it; made up unless given
    #[arg(long, value_name = "ID", value_parser = id)]
    pub trade_id: Option<Id>,
    /// Where the result is POSTed
    #[arg(long, value_name = "URL")]
    pub notify_url: String,
    /// Whether to ask, and where the platform is.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Arguments of `vend cloud order create`.
#[derive(Debug, Clone, Args)]
pub struct CreateArgs {
    /// A product and how many units of it, like 121 or 121=2; may be repeated
    #[arg(long = "product", value_name = "ID[=N]", required = true, value_parser = line)]
    pub products: Vec<(ProductId, u32)>,
    /// For whom.
    #[command(flatten)]
    pub merchant: MerchantArgs,
}

/// Arguments of `vend cloud dispense`.
#[derive(Debug, Clone, Args)]
pub struct DispenseArgs {
    /// The order: 1 to 64 of 0-9 A-Z a-z _ . -
    #[arg(value_name = "ORDER", value_parser = id)]
    pub order_id: Id,
    /// The line of the order; a new attempt needs a new one
    #[arg(value_name = "RECORD", value_parser = id)]
    pub record_id: Id,
    /// Whether to ask, and where the platform is.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// What to do with a dispense command.
#[derive(Debug, Clone, Subcommand)]
pub enum DeliveryCall {
    /// What the platform knows of it
    Show(DeliveryArgs),
}

/// Arguments of `vend cloud delivery show`.
#[derive(Debug, Clone, Args)]
pub struct DeliveryArgs {
    /// The number that dispense printed
    #[arg(value_name = "ID", value_parser = id)]
    pub delivery_id: Id,
    /// Where the platform is.
    #[command(flatten)]
    pub cloud: CloudArgs,
}

/// Arguments of `vend cloud test-channel`.
#[derive(Debug, Clone, Args)]
pub struct TestArgs {
    /// The slot's name on the machine's labels, like A20
    #[arg(value_name = "NAME", value_parser = id)]
    pub channel_name: Id,
    /// Where the result is POSTed
    #[arg(long, value_name = "URL")]
    pub notify_url: String,
    /// Whether to ask, and where the platform is.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// What to do with pickup codes.
#[derive(Debug, Clone, Subcommand)]
pub enum PickupCall {
    /// Make codes for a product, or one for every product
    Create(CodesArgs),
    /// The good codes of a product
    List(ListCodesArgs),
    /// Cancel one code, or all of this machine
    Cancel(CancelArgs),
    /// Turn a code into an order
    Consume(ConsumeArgs),
}

/// Arguments of `vend cloud pickup create`.
#[derive(Debug, Clone, Args)]
pub struct CodesArgs {
    /// The product, by the number that `vend cloud products` shows
    #[arg(long, value_name = "ID", required_unless_present = "every_product")]
    pub product: Option<ProductId>,
    /// One code for every product
    #[arg(long, conflicts_with_all = ["product", "count"])]
    pub every_product: bool,
    /// How many codes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,
    /// How many digits a code has, 6 to 10
    #[arg(long, value_name = "N", default_value = "6")]
    pub length: CodeLength,
    /// Until when they are good, like "2024-12-31 23:59:59" in the platform's time zone (GMT+8); for ever unless given
    #[arg(long, value_name = "TIME")]
    pub expires: Option<PlatformTime>,
    /// Whether to ask, and where the platform is.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Arguments of `vend cloud pickup list`.
#[derive(Debug, Clone, Args)]
pub struct ListCodesArgs {
    /// The product, by the number that `vend cloud products` shows
    #[arg(long, value_name = "ID")]
    pub product: ProductId,
    /// Where the platform is.
    #[command(flatten)]
    pub cloud: CloudArgs,
}

/// Arguments of `vend cloud pickup cancel`.
#[derive(Debug, Clone, Args)]
pub struct CancelArgs {
    /// The code's number in the list, not the code itself
    #[arg(value_name = "ID", required_unless_present = "every_code")]
    pub code_id: Option<PickupCodeId>,
    /// All codes of this machine
    #[arg(long = "all", conflicts_with = "code_id")]
    pub every_code: bool,
    /// Whether to ask, and where the platform is.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Arguments of `vend cloud pickup consume`.
#[derive(Debug, Clone, Args)]
pub struct ConsumeArgs {
    /// The code that the customer was given
    #[arg(value_name = "CODE", value_parser = pickup_code)]
    pub pickup_code: PickupCode,
    /// The product, by the number that `vend cloud products` shows
    #[arg(long, value_name = "ID")]
    pub product: ProductId,
    /// For whom.
    #[command(flatten)]
    pub merchant: MerchantArgs,
}

/// Arguments of `vend cloud restock`.
#[derive(Debug, Clone, Args)]
pub struct RestockArgs {
    /// Every slot is full
    #[arg(long, required_unless_present_any = ["product", "category"], conflicts_with_all = ["product", "category", "added"])]
    pub full: bool,
    /// The product, by the number that `vend cloud products` shows
    #[arg(long, value_name = "ID", requires = "added", conflicts_with_all = ["category", "cabinet", "addr"])]
    pub product: Option<ProductId>,
    /// Only this category
    #[arg(long, value_name = "ID", requires = "added", conflicts_with = "addr")]
    pub category: Option<CategoryId>,
    /// How many units were added to the slot, or to each
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub added: Option<u32>,
    /// Which part.
    #[command(flatten)]
    pub part: PlaceArgs,
    /// Whether to ask, and where the platform is.
    #[command(flatten)]
    pub change: ChangeArgs,
}

fn id(text: &str) -> Result<Id, Misread> {
    Ok(Id::parse(text)?)
}

/// clap would repeat a wrong code in its message.
fn pickup_code(text: &str) -> Result<PickupCode, Misread> {
    Ok(text.parse::<PickupCode>()?)
}

fn cabinet(text: &str) -> Result<Cabinet, Misread> {
    let mut letters = text.chars();
    let cabinet = letters.next().and_then(Cabinet::new);
    cabinet
        .filter(|_| letters.next().is_none())
        .ok_or_else(|| Misread(Said::new("a cabinet is a letter, A to Z", "货柜为一个字母，A 至 Z")))
}

fn board(text: &str) -> Result<Address, Misread> {
    text.parse().ok().and_then(Address::new).ok_or_else(|| {
        let max = Address::MAX;
        Misread(said!("driver boards are counted from 1 to {max}", "驱动板编号为 1 至 {max}"; max))
    })
}

/// `121` or `121=2`.
fn line(text: &str) -> Result<(ProductId, u32), Misread> {
    let (product, quantity) = text.split_once('=').unwrap_or((text, "1"));
    let quantity = quantity
        .parse()
        .ok()
        .filter(|&n| n > 0)
        .ok_or_else(|| Misread(Said::new("behind = stands how many units, from 1", "= 之后为件数，至少 1")))?;
    Ok((product.parse::<ProductId>()?, quantity))
}

impl Call {
    fn cloud(&self) -> &CloudArgs {
        match self {
            Call::Ping(args)
            | Call::Machines(args)
            | Call::Machine(args)
            | Call::Channels(args)
            | Call::Categories(args)
            | Call::Banners(args) => args,
            Call::Products(args) => &args.cloud,
            Call::Order(OrderCall::Show(args)) => &args.cloud,
            Call::Order(OrderCall::Create(args)) => &args.merchant.change.cloud,
            Call::Order(OrderCall::Pay(args) | OrderCall::Cancel(args)) => &args.change.cloud,
            Call::Dispense(args) => &args.change.cloud,
            Call::Delivery(DeliveryCall::Show(args)) => &args.cloud,
            Call::TestChannel(args) => &args.change.cloud,
            Call::Pickup(PickupCall::Create(args)) => &args.change.cloud,
            Call::Pickup(PickupCall::List(args)) => &args.cloud,
            Call::Pickup(PickupCall::Cancel(args)) => &args.change.cloud,
            Call::Pickup(PickupCall::Consume(args)) => &args.merchant.change.cloud,
            Call::Restock(args) => &args.change.cloud,
        }
    }
}

impl CloudCommand {
    /// The form of the result.
    #[must_use]
    pub fn output(&self) -> OutputArgs {
        match self {
            CloudCommand::Call(call) => call.cloud().output,
            CloudCommand::Faults(args) => args.output,
            CloudCommand::Simulate(_) => OutputArgs::default(),
        }
    }
}

/// Runs `vend cloud …`.
///
/// # Errors
/// A wrong configuration, a missing secret, a cloud that is not there or refuses, a confirmation that is missing, or
/// a standard output that takes no more.
pub fn run(command: &CloudCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    match command {
        CloudCommand::Call(call) => ask(call, out),
        CloudCommand::Faults(args) => faults::run(args, out),
        CloudCommand::Simulate(args) => simulate::run(args, out),
    }
}

fn ask(call: &Call, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let mut caller = Caller::new(&call.cloud().place)?;
    match call {
        Call::Ping(_) => show::ping(&mut caller, out),
        Call::Machines(_) => show::machines(&mut caller, out),
        Call::Machine(_) => show::machine(&mut caller, out),
        Call::Products(args) => show::products(&mut caller, args, out),
        Call::Channels(_) => show::channels(&mut caller, out),
        Call::Categories(_) => show::categories(&mut caller, out),
        Call::Banners(_) => show::banners(&mut caller, out),
        Call::Order(OrderCall::Show(args)) => show::order(&mut caller, &args.order_id, out),
        Call::Delivery(DeliveryCall::Show(args)) => show::delivery(&mut caller, &args.delivery_id, out),
        Call::Pickup(PickupCall::List(args)) => show::codes(&mut caller, args.product, out),
        Call::Order(OrderCall::Create(args)) => change::create(&mut caller, args, out),
        Call::Order(OrderCall::Pay(args)) => change::pay(&mut caller, args, out),
        Call::Order(OrderCall::Cancel(args)) => change::cancel(&mut caller, args, out),
        Call::Dispense(args) => change::dispense(&mut caller, args, out),
        Call::TestChannel(args) => change::test_channel(&mut caller, args, out),
        Call::Pickup(PickupCall::Create(args)) => change::create_codes(&mut caller, args, out),
        Call::Pickup(PickupCall::Cancel(args)) => change::cancel_codes(&mut caller, args, out),
        Call::Pickup(PickupCall::Consume(args)) => change::consume(&mut caller, args, out),
        Call::Restock(args) => change::restock(&mut caller, args, out),
    }
}
