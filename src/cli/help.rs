//! The help in Chinese; mistakes (exit 2) are said by [`super::usage`].

use clap::{Arg, Command};

/// Puts the help of a command, and of all below it, into Chinese. A test finds what has no text yet.
pub(super) fn in_chinese(mut command: Command) -> Command {
    // Only building it adds --help and --version, which want a text too.
    command.build();
    let name = command.get_name().to_owned();
    translate(command, &name)
}

fn translate(mut command: Command, path: &str) -> Command {
    if let Some(text) = about(path) {
        command = command.about(text);
    }
    let lead = if command.has_subcommands() { "\n\n命令：\n{subcommands}" } else { "" };
    let positionals = if command.get_positionals().next().is_some() { "\n\n参数：\n{positionals}" } else { "" };
    let template = format!("{{about}}\n\n用法：{{usage}}{lead}{positionals}\n\n选项：\n{{options}}");
    command.help_template(template).mut_args(translate_argument).mut_subcommands(|sub| {
        let path = format!("{path} {}", sub.get_name());
        translate(sub, &path)
    })
}

fn translate_argument(argument: Arg) -> Arg {
    match help(argument.get_id().as_str()) {
        Some(text) => argument.help(text).long_help(None),
        None => argument,
    }
}

fn about(path: &str) -> Option<&'static str> {
    Some(match path {
        "vend" => "自动售货机代理程序：每个已付款商品电机至多转动一次，且必有一个最终结果",
        "vend run" => "守护进程：接收订单、驱动板卡、上报结果",
        "vend clock" => "为守护进程记下内核对时钟的说明（守护进程自身无权询问）；由 vend-clock.service 运行",
        "vend setup" => "把安装好的程序设为一台机器：询问或取自参数，写入配置与密钥",
        "vend config" => "配置：检查，显示生效的值",
        "vend config check" => "检查配置及其引用的所有文件；有误则以 78 退出",
        "vend config show" => "以 TOML 显示配置；其中从不含密钥",
        "vend status" => "守护进程的状态：消息服务器、板卡、订单、最近事件",
        "vend doctor" => "检查本机有何问题，以及如何处理",
        "vend order" => "订单",
        "vend order list" => "未了结的订单，最早的在前",
        "vend call" => "除出货结果外须告知平台的事项：退款、已用取货码、库存",
        "vend call list" => "被平台永久拒绝的通知，以及尚未被接收的通知",
        "vend call retry" => "原样重发一条被永久拒绝的通知；仅限 root 与守护进程的用户",
        "vend call drop" => "放弃一条被永久拒绝的通知；留作审计；仅限 root 与守护进程的用户",
        "vend difference" => "与平台账目不一致的订单",
        "vend difference list" => "与平台账目不一致的订单，各自不一致之处",
        "vend difference ask" => "就一个订单再次询问平台；仅限 root 与守护进程的用户",
        "vend difference accept" => "已知悉此不一致，不再显示；留作审计；仅限 root 与守护进程的用户",
        "vend order show" => "一个订单的过程：每个状态、消息、帧与上报尝试",
        "vend order resolve" => "裁定存疑订单的结果；会上报，不会转动电机；仅限 root 与守护进程的用户",
        "vend report" => "发往商户与平台的结果，以及死信",
        "vend report list" => "尚未被接收的上报与死信",
        "vend report show" => "一个订单的全部上报及其内容",
        "vend report retry" => "原样重发一个订单或全部订单的死信；仅限 root 与守护进程的用户",
        "vend audit" => "平台在出货之外对本机下达的指令，以及人员的裁定",
        "vend audit list" => "平台的指令及各自的结果，最早的在前",
        "vend slot" => "货道：其中的商品；补货、检查之后的登记；测试转动",
        "vend slot list" => "各货道的商品、价格、库存与状态",
        "vend slot show" => "一个货道",
        "vend slot lock" => "停用货道，直到检查并解除；仅限 root 与守护进程的用户",
        "vend slot restock" => "货道已补货：登记现有件数；仅限 root 与守护进程的用户",
        "vend slot clear" => "货道已检查：恢复正常并解除锁定；仅限 root 与守护进程的用户",
        "vend journal" => "日志（守护进程未运行时）",
        "vend journal dump" => "显示无人使用的状态目录中的订单，不作任何更改；有损坏则以 1 退出",
        "vend journal accept-loss" => "结束隔离：移开已损坏的日志，下次启动建立新日志",
        "vend slot test" => "使一个货道的电机转动一次，与出货相同；仅限 root 与守护进程的用户",
        "vend serial" => "串口线：监视，查找串口，发送原始字节",
        "vend serial monitor" => "显示串口线上经过的每一帧及其含义，直到 Ctrl-C；不影响订单",
        "vend serial send" => "向串口线发送原始字节并显示应答；仅在守护进程未运行时",
        "vend serial ports" => "本机的串口、固定名称与占用者",
        "vend mqtt" => "消息服务器：监视收到的消息，测量往返时间",
        "vend mqtt ping" => "测量与消息服务器之间的往返时间",
        "vend mqtt tail" => "显示平台发来的每条消息（隐去密钥），直到 Ctrl-C",
        "vend log-level" => "暂时改变守护进程的日志级别；仅限 root 与守护进程的用户",
        "vend support" => "给技术支持的资料",
        "vend support bundle" => "打包状态、订单、配置（隐去密钥）、版本与日志；只打印文件路径",
        "vend pickup" => "取货码：输入，查看",
        "vend pickup enter" => "从标准输入或无回显提示输入取货码；只出货一次",
        "vend pickup list" => "机器所知的取货码，不显示数字",
        "vend sale" => "在机器上的销售：手机支付购买，查看结果，人工处理",
        "vend sale start" => "购买一个货道的商品：显示支付码并跟踪到结束；Ctrl-C 放弃未支付的销售",
        "vend sale show" => "当前的销售，或最近一次销售",
        "vend sale list" => "保留的全部销售；待人工处理的在前",
        "vend sale cancel" => "放弃尚未支付的销售",
        "vend sale settle" => "人工已处理一次销售：已退款或已交付；仅限 root 与守护进程的用户",
        "vend sign" => "为标准输入中的 JSON 对象签名",
        "vend send" => "向一台机器发送已签名的指令，用于测试",
        "vend send dispense" => "出货指令（device.delivery.put）；会转动电机",
        "vend board" => "板卡：询问、开关；板卡配置与模拟板卡",
        "vend board simulate" => "在 pty 上模拟板卡，直到 SIGINT 或 SIGTERM；SIGUSR1 使其断电并恢复",
        "vend board ask" => "在没有订单时询问运行中守护进程的板卡",
        "vend board ask climate" => "温度与湿度",
        "vend board ask door" => "机门是否打开",
        "vend board ask self-check" => "板卡自检",
        "vend board ask slot" => "货道是否存在且正常；不会转动",
        "vend board switch" => "打开或关闭板卡上的设备；仅限 root 与守护进程的用户",
        "vend board hold" => "保持温度，或停止控温；仅限 root 与守护进程的用户",
        "vend board reset" => "复位不涉及货道转动的部分：升降机、故障记录；仅限 root 与守护进程的用户",
        "vend board detect" => "识别无人使用的串口上是何种板卡：先监听，再询问；不会转动电机",
        "vend board list" => "内置的板卡配置",
        "vend board show" => "显示一个板卡配置",
        "vend cloud" => "平台开放接口，使用配置中的凭据",
        "vend cloud ping" => "检查 url、凭据与密钥是否正确",
        "vend cloud machines" => "商户的全部机器",
        "vend cloud machine" => "平台所知的本机信息",
        "vend cloud products" => "本机所售产品，含库存与价格",
        "vend cloud channels" => "本机的货道及其状态",
        "vend cloud categories" => "本机产品的分类",
        "vend cloud banners" => "本机屏幕上的图片",
        "vend cloud order" => "订单：查看、创建、支付、取消",
        "vend cloud order show" => "平台所知的一个订单",
        "vend cloud order create" => "创建订单；占用库存 20 分钟",
        "vend cloud order pay" => "告知平台订单已支付",
        "vend cloud order cancel" => "关闭订单；商品退回库存",
        "vend cloud dispense" => "由平台向机器发送已付款记录的出货指令；会转动电机",
        "vend cloud delivery" => "出货指令的结果",
        "vend cloud delivery show" => "平台所知的出货结果",
        "vend cloud test-channel" => "由平台测试货道；会转动电机",
        "vend cloud pickup" => "取货码：生成、列出、取消、使用",
        "vend cloud pickup create" => "为一个产品生成取货码，或为每个产品生成一个",
        "vend cloud pickup list" => "一个产品的有效取货码",
        "vend cloud pickup cancel" => "取消一个取货码，或本机的全部取货码",
        "vend cloud pickup consume" => "使用取货码生成订单",
        "vend cloud restock" => "告知平台补货数量",
        "vend cloud faults" => "未能告知销售平台的付款记录",
        "vend cloud simulate" => "模拟本机的平台或其他平台，直到 SIGINT 或 SIGTERM",
        "vend demo" => "在本机演示，使用模拟板卡",
        "vend journal accept-move" => "确认克隆、恢复或移动过的日志归属当前位置；其订单与结果保留",
        "vend journal unfinished" => "无人使用的状态目录中还有什么未了结；有则以 5 退出，有损坏则以 1 退出",
        "vend journal format" => "本程序写入的日志格式编号",
        "vend man" => "这些命令的手册页",
        "vend completions" => "向标准输出写出 shell 补全脚本",
        _ => return None,
    })
}

/// An argument's name means the same wherever it stands.
fn help(id: &str) -> Option<&'static str> {
    Some(match id {
        "lang" => "界面语言：en 或 zh；默认取自系统区域设置",
        "config" => "配置文件",
        "credentials" => {
            "存放密钥的目录：app_secret、app_key、mqtt_password、sale_session、web_token、notify_secret 等"
        }
        "json" => "输出一个 JSON 文档，含 schema_version",
        "plain" => "以 TAB 分隔各列，无表头",
        "into" => "把每个命令的手册页写入此目录；未给出则把 vend(1) 写到标准输出",
        "broker_url" => "消息服务器，mqtt:// 或 mqtts://",
        "broker_username" => "登录消息服务器的用户名",
        "from" => "从此文件取配置项（写法同配置文件），密钥取自其 [secrets] 一节",
        "machine_no" => "平台上的机器编号，8 位数字",
        "cloud" => "平台开放接口，https://；none 表示不使用",
        "app_id" => "商户的 AppId",
        "port" => "串口；auto 表示唯一插入的适配器",
        "secret_files" => "密钥及其文件（仅一行），如 app_key=FILE；可重复",
        "no_checks" => "只写入，不检查消息服务器、平台与串口是否可达",
        "word_file" => "写入说明的文件",
        "no_questions" => "不提问：缺少的值视为错误",
        "effective" => "显示所有有值的键，填入默认值，路径为绝对路径",
        "name" => "内置板卡配置的名称，或文件路径",
        "socket" => "守护进程的套接字",
        "other_socket" => "守护进程的套接字，若与配置不同",
        "only" => "仅这些检查，如 N3；可重复",
        "skip" => "不做这些检查，如 T1；可重复",
        "list" => "列出所有检查；不作任何检查",
        "strict" => "警告也算失败",
        "directory" => "状态目录",
        "number" => "通知的编号，见 vend call list",
        "differing" => "订单：ORDER_ID:RECORD_ID，见 vend difference list",
        "key" => "订单：ORDER_ID:RECORD_ID",
        "verdict" => "结果：dispensed（已出货）、failed（未出货）或 unknown（永远未知）",
        "why" => "作此裁定的理由；留作审计",
        "yes_decided" => "不再询问：立即上报",
        "reason" => "理由；留作审计",
        "key_file" => "签名密钥文件，仅一行",
        "broker" => "代替配置中的消息服务器，mqtt:// 或 mqtts://",
        "username" => "代替配置中的用户名",
        "password_file" => "该用户的密码文件，仅一行",
        "order_id" => "订单：1 至 64 个字符，可用 0-9 A-Z a-z _ . -",
        "record_id" => "订单中的行；重新尝试须用新的",
        "code" => "货道，按平台编号（通常即板卡自身编号）",
        "printed" => "货道上印的编号，如 A3，代替 --slot",
        "addr" => "驱动板，从 1 数起",
        "address" => "驱动板，从 1 数起",
        "no_wait" => "不等待结果",
        "sale" => "销售编号",
        "slot" => "货道，按板卡自身编号",
        "goods" => "现有件数；不填则为装满",
        "all_full" => "所有已知容量的货道均已装满",
        "device" => "light（灯）、cooler（制冷）、heater（加热）、glass-heater（玻璃加热）或 fan（风扇）",
        "position" => "on 或 off",
        "mode" => "cool（制冷）、heat（加热）或 off（停止）",
        "target_c" => "要保持的温度，摄氏度；off 时不填",
        "quantity" => "件数",
        "notify_url" => "结果 POST 到的地址",
        "profile" => "内置板卡配置的名称，或文件路径；setup 中 detect 表示在串口上识别",
        "link" => "建立指向 pty 的符号链接；代理被强行终止后仍通向板卡",
        "press" => {
            "启动后若干秒在板卡自己的按键上选货，格式 SLOT@S（如 12@5），货道 0 表示取消，可重复；会上报按键的板卡：xy-v3"
        }
        "fault" => {
            "故障 KIND[:SLOT][@NTH]，如 jam:12 或 power-loss@2，可重复；KIND 为 jam、no-drop、open-motor、silence、garble、late、restart、power-loss、refuse 之一"
        }
        "turn_time_ms" => "电机转动时间，毫秒",
        "log" => "电机每次转动向此文件追加一行，含时间与货道",
        "yes" => "作出更改前不再询问",
        "cabinet" => "仅此柜，A 至 Z",
        "category" => "仅此分类",
        "all" => "全部，包括平台通常略去的",
        "products" => "产品及件数，如 121 或 121=2；可重复",
        "trade_id" => "商户订单号；未给出则自动生成",
        "delivery_id" => "dispense 显示的出货编号",
        "channel_name" => "机器标签上的货道名，如 A20",
        "product" => "产品编号，见 vend cloud products",
        "every_product" => "为每个产品生成一个取货码",
        "count" => "取货码个数",
        "length" => "取货码位数，6 至 10",
        "expires" => "有效期，如 \"2024-12-31 23:59:59\"（平台时区 GMT+8）；未给出则长期有效",
        "code_id" => "列表中的取货码编号，而非取货码本身",
        "every_code" => "本机的全部取货码",
        "pickup_code" => "顾客得到的取货码",
        "full" => "所有货道已满",
        "added" => "增加的件数（每个货道）",
        "listen" => "监听地址；端口 0 取空闲端口",
        "tls_certificate" => "以此证书使用 TLS，PEM 文件",
        "tls_key" => "证书的私钥，PEM 文件",
        "cloud_fault" => {
            "故障 KIND[:VALUE][@TIMES]，如 html、code:40006@3、slow:5 或 down@all，可重复；运行中可 POST 或 DELETE /faults，POST /paid（ORDER 或 ORDER=STATUS），POST /log-out"
        }
        "kind" => "哪一个平台：platform、songshu、course 或 mall",
        "secret_file" => "songshu 的共享密钥，或 course、mall 的登录密码，文件中仅一行；未给出则无需签名或登录",
        "digits" => "错误代码的版本：four（四位）或 five（五位）",
        "sold" => "在售货道及价格，如 5 或 5=3.50；可重复",
        "raw_frame" => "十六进制的帧，可含空格；未给出则从标准输入逐行读取",
        "crc" => "附加板卡协议的校验（tcn-00ff：每个字节后加其反码）",
        "quiet_ms" => "多久没有数据即停止接收，毫秒",
        "listen_for" => "至多接收多久：10s 或 2m",
        "yes_raw" => "不再询问：立即发送",
        "retried" => "订单：ORDER_ID:RECORD_ID",
        "every_dead" => "全部死信，逐个订单",
        "yes_retry" => "不再询问：立即重发",
        "only_dead" => "仅死信",
        "only_pending" => "仅尚未被接收的上报",
        "host" => "仅发往此主机的上报",
        "pings" => "测量次数",
        "raw" => "只显示字节，不显示含义",
        "loudness" => "error、warn、info、debug 或 trace",
        "loud_for" => "持续时间：90s、10m 或 2h，至多 24h",
        "bundle_output" => "写入的文件",
        "watch" => "每秒刷新，直到 Ctrl-C",
        "origin" => "每个值及其来源：文件、默认值",
        "shell" => "shell 名称",
        "help" => "显示帮助",
        "version" => "显示版本",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory as _;

    fn untranslated(command: &Command, path: &str, missing: &mut Vec<String>) {
        let chinese = |text: Option<String>| text.is_some_and(|t| !t.is_ascii());
        if !chinese(command.get_about().map(ToString::to_string)) {
            missing.push(path.to_owned());
        }
        for argument in command.get_arguments() {
            if !chinese(argument.get_help().map(ToString::to_string)) {
                missing.push(format!("{path} {}", argument.get_id()));
            }
        }
        for sub in command.get_subcommands() {
            untranslated(sub, &format!("{path} {}", sub.get_name()), missing);
        }
    }

    #[test]
    fn every_command_and_every_argument_has_help_in_chinese() {
        let mut missing = Vec::new();
        untranslated(&in_chinese(Cli::command()), "vend", &mut missing);
        assert_eq!(missing, [""; 0]);
    }
}
