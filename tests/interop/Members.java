import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;

/**
 * Members of a consumer group by RocketMQ's Java client, which join and leave as they are told.
 *
 * <pre>
 * java Members NAMESRV TOPIC GROUP concurrent|orderly|broadcast WORK_MILLIS
 * stdin   join NAME | leave NAME | quit
 * stdout  ready
 *         joined NAME | left NAME
 *         got NAME BROKER QUEUE OFFSET KEY BEGAN_MILLIS ENDED_MILLIS     by the listener, for each message
 * </pre>
 */
public final class Members {
    public static void main(String[] arguments) throws Exception {
        Map<String, DefaultMQPushConsumer> members = new HashMap<>();
        say("ready");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String command;
        while ((command = commands.readLine()) != null && !command.equals("quit")) {
            String[] words = command.split(" ");
            if (words[0].equals("join")) {
                members.put(words[1], join(arguments, words[1]));
                say("joined " + words[1]);
            } else {
                members.remove(words[1]).shutdown();
                say("left " + words[1]);
            }
        }
        for (DefaultMQPushConsumer member : members.values()) {
            member.shutdown();
        }
        System.exit(0);
    }

    private static DefaultMQPushConsumer join(String[] arguments, String name) throws Exception {
        DefaultMQPushConsumer member = new DefaultMQPushConsumer(arguments[2]);
        member.setNamesrvAddr(arguments[0]);
        member.setInstanceName(name);
        member.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        member.setAwaitTerminationMillisWhenShutdown(5000);
        member.subscribe(arguments[1], "*");
        int workMillis = Integer.parseInt(arguments[4]);
        if (arguments[3].equals("broadcast")) {
            member.setMessageModel(MessageModel.BROADCASTING);
        }
        if (arguments[3].equals("orderly")) {
            member.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                consume(name, context.getMessageQueue().getBrokerName(), messages, workMillis);
                return ConsumeOrderlyStatus.SUCCESS;
            });
        } else {
            member.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                consume(name, context.getMessageQueue().getBrokerName(), messages, workMillis);
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
        }
        member.start();
        return member;
    }

    private static void consume(String name, String broker, List<MessageExt> messages, int workMillis) {
        for (MessageExt message : messages) {
            long beganMillis = System.currentTimeMillis();
            try {
                Thread.sleep(workMillis);
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
                return;
            }
            say(String.join(" ", "got", name, broker, "" + message.getQueueId(), "" + message.getQueueOffset(),
                message.getKeys(), "" + beganMillis, "" + System.currentTimeMillis()));
        }
    }

    private static synchronized void say(String line) {
        System.out.println(line);
    }

    private Members() {
    }
}
