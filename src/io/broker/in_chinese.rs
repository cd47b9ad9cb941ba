//! What can be wrong with the session, in Chinese. The English stands with the errors.

use super::{
    ANSWER_TIME_OUT_S, BrokerFault, CONNECT_TIME_OUT_S, PACKET_BYTES_MAX, Trouble, UNACKNOWLEDGED_BYTES_MAX,
    UNACKNOWLEDGED_MAX,
};
use crate::order::said::InChinese;

impl InChinese for Trouble {
    fn zh(&self) -> String {
        match self {
            Trouble::Unreachable(why) => {
                format!("无法连接消息服务器（{why}）；请检查网络，以及 [broker] url 中的主机与端口")
            }
            Trouble::Tls(why) => format!("无法与消息服务器建立 TLS：{}", why.zh),
            Trouble::TlsRenewed => "正以更新后的证书重新连接".to_owned(),
            Trouble::ConnectTimeOut => format!("消息服务器在 {CONNECT_TIME_OUT_S} 秒内未应答"),
            Trouble::BadCredentials => {
                "消息服务器拒绝用户名或密码；请检查 [broker] username 与密钥 mqtt_password".to_owned()
            }
            Trouble::NotAuthorised => "消息服务器不允许本机登录；请检查其中的用户、密码与权限".to_owned(),
            Trouble::ClientIdRejected => "消息服务器拒绝 client id；请检查 machine_no".to_owned(),
            Trouble::Refused(code) => format!("消息服务器拒绝连接：{code}"),
            Trouble::TakenOver => "会话已被另一客户端接管".to_owned(),
            Trouble::Disconnected(why) => format!("消息服务器结束了连接：{why}"),
            Trouble::ClosedByBroker => "连接被对方关闭".to_owned(),
            Trouble::ClosedUnanswered => {
                "消息服务器未应答即关闭连接；请检查它是否支持此版本的 MQTT（RabbitMQ 3.13 之前：[broker] protocol = \
                 \"3.1.1\"），以及该端口是否要求 TLS（[broker] url）"
                    .to_owned()
            }
            Trouble::Link(why) => format!("连接出错：{why}"),
            Trouble::KeepAlive => "消息服务器不再应答".to_owned(),
            Trouble::SubscribeUnanswered => format!("消息服务器在 {ANSWER_TIME_OUT_S} 秒内未确认订阅"),
            Trouble::PublishUnanswered => format!("消息服务器已有 {ANSWER_TIME_OUT_S} 秒未确认任何发布"),
            Trouble::Flooded => {
                format!("消息服务器不等确认便发来超过 {UNACKNOWLEDGED_MAX} 条消息或 {UNACKNOWLEDGED_BYTES_MAX} 字节")
            }
            Trouble::PublishRefused(why) => format!("消息服务器拒绝该消息：{why}；请检查此用户可以发布的主题"),
            Trouble::PacketTooLarge { bytes } => format!("有 {bytes} 字节的报文，超过 {PACKET_BYTES_MAX}"),
            Trouble::Protocol(why) => format!("不是所知的 MQTT：{}", why.zh),
        }
    }
}

impl InChinese for BrokerFault {
    fn zh(&self) -> String {
        match self {
            BrokerFault::TakenOver { times } => format!(
                "另一客户端在使用本机的 client id（克隆的存储卡，或另一主控板用了同一 machine_no？）；会话已连续被抢走 \
                 {times} 次"
            ),
            BrokerFault::PacketTooLarge { bytes } => format!(
                "消息服务器存有 {bytes} 字节的报文，上限为 {PACKET_BYTES_MAX}：其后的消息都无法到达。请删除它，并在消息服务器\
                 限制消息大小（mosquitto：message_size_limit；EMQX：mqtt.max_packet_size；VerneMQ：max_message_size）"
            ),
            BrokerFault::SubscribeRefused { topic, reason } => {
                format!("消息服务器不允许以 QoS 1 订阅 {topic}：{}；请给予该权限", reason.zh)
            }
            BrokerFault::PublishRefused { token: _, topic, reason } => {
                format!("消息服务器拒绝发往 {topic} 的消息：{reason}；请给予该权限")
            }
            BrokerFault::PublishTooLarge { token: _, bytes, limit_bytes } => {
                format!("有 {bytes} 字节的上报，超过消息服务器的上限 {limit_bytes}；请调高该上限")
            }
        }
    }
}
