import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * The official client as one that fills a broker with messages of all kinds, and one that says all that a broker holds.
 *
 * <pre>
 * java Contents NAMESRV fill RUN TOPIC,TOPIC PLAIN DELAYED HALF   sends; prints `done` when all is acknowledged
 * java Contents NAMESRV read BROKER TOPIC:QUEUES ...              one line for each message, then one for each offset
 * java Contents NAMESRV commit BROKER TOPIC QUEUE OFFSET          sets where the group `readers` stands
 * java Contents NAMESRV settle SECONDS                            answers with COMMIT when a broker asks about half messages
 * </pre>
 */
public final class Contents {
    private static final String PRODUCERS = "fillers";
    private static final String READERS = "readers";
    private static final int BATCH = 10;
    private static final int BUFFER_BYTES = 1 << 16;
    private static final int PATIENCE_MILLIS = 60_000;
    private static final int COMPRESSED_BYTES = 6000;

    public static void main(String[] arguments) {
        try {
            run(arguments);
            System.out.println("done");
            System.exit(0);
        } catch (Throwable error) { // the client's threads would keep the process alive, also without memory
            error.printStackTrace();
            System.exit(1);
        }
    }

    private static void run(String[] arguments) throws Exception {
        String nameServers = arguments[0];
        switch (arguments[1]) {
            case "fill":
                fill(nameServers, arguments[2], arguments[3].split(","), Integer.parseInt(arguments[4]),
                    Integer.parseInt(arguments[5]), Integer.parseInt(arguments[6]));
                break;
            case "read":
                read(nameServers, arguments);
                break;
            case "commit":
                commit(nameServers, new MessageQueue(arguments[3], arguments[2], Integer.parseInt(arguments[4])),
                    Long.parseLong(arguments[5]));
                break;
            default:
                settle(nameServers, Integer.parseInt(arguments[2]));
        }
    }

    private static TransactionMQProducer producer(String nameServers) throws Exception {
        TransactionMQProducer producer = new TransactionMQProducer(PRODUCERS);
        producer.setNamesrvAddr(nameServers);
        producer.setSendMsgTimeout(PATIENCE_MILLIS);
        producer.setMqClientApiTimeout(PATIENCE_MILLIS);
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object wanted) {
                return (LocalTransactionState) wanted;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                return LocalTransactionState.COMMIT_MESSAGE;
            }
        });
        producer.start();
        return producer;
    }

    private static void fill(String nameServers, String run, String[] topics, int plain, int delayed, int half)
        throws Exception {
        TransactionMQProducer producer = producer(nameServers);
        Random random = new Random(run.hashCode());
        List<Message> batch = new ArrayList<>();
        for (int number = 0; number < plain; number++) {
            String topic = topics[number / BATCH % topics.length];
            Message message = message(random, topic, run + "-" + number, number);
            if (number / BATCH % 4 != 0) {
                check(producer.send(message));
                continue;
            }
            batch.add(message);
            if (batch.size() == BATCH || number == plain - 1) {
                check(producer.send(batch));
                batch.clear();
            }
        }
        for (int number = 0; number < delayed; number++) {
            Message message = message(random, topics[number % topics.length], run + "-delayed-" + number, number);
            message.setDelayTimeLevel(17 + number % 2);
            check(producer.send(message));
        }
        LocalTransactionState[] states = {
            LocalTransactionState.UNKNOW, LocalTransactionState.COMMIT_MESSAGE, LocalTransactionState.ROLLBACK_MESSAGE};
        for (int number = 0; number < half; number++) {
            Message message = message(random, topics[number % topics.length], run + "-half-" + number, number);
            check(producer.sendMessageInTransaction(message, states[number % states.length]));
        }
        producer.shutdown();
    }

    private static Message message(Random random, String topic, String key, int number) {
        byte[] body = new byte[number % 50 == 3 ? COMPRESSED_BYTES : 1 + random.nextInt(1200)];
        random.nextBytes(body);
        if (body.length == COMPRESSED_BYTES) {
            java.util.Arrays.fill(body, (byte) number);
        }
        String tag = number % 7 == 0 ? "" : "Tag" + number % 5;
        Message message = new Message(topic, tag, key + " of-" + topic, body);
        message.putUserProperty("number", Integer.toString(number));
        message.putUserProperty("name", "größe-" + number);
        message.setFlag(number);
        return message;
    }

    private static void check(SendResult result) {
        if (result.getSendStatus() != SendStatus.SEND_OK) {
            throw new IllegalStateException(result.toString());
        }
    }

    private static DefaultMQPullConsumer consumer(String nameServers) throws Exception {
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(READERS);
        consumer.setNamesrvAddr(nameServers);
        consumer.setMqClientApiTimeout(PATIENCE_MILLIS);
        consumer.setConsumerPullTimeoutMillis(PATIENCE_MILLIS);
        consumer.start();
        return consumer;
    }

    private static void read(String nameServers, String[] arguments) throws Exception {
        DefaultMQPullConsumer consumer = consumer(nameServers);
        PrintStream lines = new PrintStream(
            new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), BUFFER_BYTES), false, "UTF-8");
        for (int index = 3; index < arguments.length; index++) {
            String[] parts = arguments[index].split(":");
            for (int queueId = 0; queueId < Integer.parseInt(parts[1]); queueId++) {
                MessageQueue queue = new MessageQueue(parts[0], arguments[2], queueId);
                readQueue(consumer, queue, lines);
                lines.append("offset " + parts[0] + ' ' + queueId + ' '
                    + consumer.fetchConsumeOffset(queue, true) + '\n');
                lines.flush();
            }
        }
        consumer.shutdown();
    }

    private static void readQueue(DefaultMQPullConsumer consumer, MessageQueue queue, PrintStream lines)
        throws Exception {
        long asked = -1;
        long next = 0;
        while (next != asked) { // only a master could be asked where the queue ends
            PullResult result = consumer.pull(queue, "*", next, 32);
            if (result.getPullStatus() == PullStatus.FOUND) {
                for (MessageExt message : result.getMsgFoundList()) {
                    lines.append(line(message) + '\n');
                }
            }
            asked = next;
            next = result.getNextBeginOffset();
        }
    }

    private static String line(MessageExt message) {
        Map<String, String> properties = new TreeMap<>(message.getProperties());
        properties.remove("MIN_OFFSET");
        properties.remove("MAX_OFFSET");
        StringBuilder named = new StringBuilder();
        properties.forEach((name, value) -> {
            if (!name.startsWith("__RMQ.TRANSIENT.")) {
                named.append(name).append('=').append(value).append(';');
            }
        });
        return String.join(" ", "message", message.getTopic(), "" + message.getQueueId(),
            "" + message.getQueueOffset(), "" + message.getCommitLogOffset(), "" + message.getStoreSize(),
            "" + message.getSysFlag(), "" + message.getFlag(), "" + message.getBodyCRC(),
            "" + message.getBornTimestamp(), "" + message.getBornHost(), "" + message.getStoreTimestamp(),
            "" + message.getStoreHost(), "" + message.getReconsumeTimes(), "" + message.getPreparedTransactionOffset(),
            Base64.getEncoder().encodeToString(message.getBody()),
            Base64.getEncoder().encodeToString(named.toString().getBytes(StandardCharsets.UTF_8)));
    }

    private static void commit(String nameServers, MessageQueue queue, long offset) throws Exception {
        DefaultMQPullConsumer consumer = consumer(nameServers);
        consumer.fetchSubscribeMessageQueues(queue.getTopic());
        consumer.getOffsetStore().updateConsumeOffsetToBroker(queue, offset, false);
        consumer.shutdown();
    }

    private static void settle(String nameServers, int seconds) throws Exception {
        TransactionMQProducer producer = producer(nameServers);
        Thread.sleep(seconds * 1000L);
        producer.shutdown();
    }

    private Contents() {
    }
}
