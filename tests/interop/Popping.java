import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.AckCallback;
import org.apache.rocketmq.client.consumer.AckResult;
import org.apache.rocketmq.client.consumer.AckStatus;
import org.apache.rocketmq.client.consumer.PopCallback;
import org.apache.rocketmq.client.consumer.PopResult;
import org.apache.rocketmq.client.impl.MQClientAPIImpl;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.header.AckMessageRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.ChangeInvisibleTimeRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.ExtraInfoUtil;
import org.apache.rocketmq.remoting.protocol.header.PopMessageRequestHeader;

/**
 * The official client as one that pops from a broker. Commands come on the standard input; each is answered by its first
 * word when it is done, by `failed` and a reason when it can't be:
 *
 * <pre>
 * java Popping NAMESRV BROKER ADDRESS TOPIC GROUP IN_ORDER     true: a queue's messages one batch after the other
 *     pop RUN COUNT INVISIBLE   sends and pops: `popped KEY FATE DUE` each, in turn
 *                                   acked      acknowledged at once
 *                                   left       not acknowledged: comes back at DUE
 *                                   changed    its invisible time begins anew: comes back at DUE
 *                                   settled    acknowledged by `settle`
 *     settle                    see above; the broker may be another one by now
 *     drain MILLIS              pops and acknowledges for so long: `drained KEY TIMES` each, with how often it was popped before
 * </pre>
 */
public final class Popping {
    private static final int PATIENCE_MILLIS = 30_000;
    private static final int BATCH = 32;
    private static final int POLL_MILLIS = 1000;
    private static final int FROM_FIRST = 0;
    private static final long DRAIN_INVISIBLE_MILLIS = 60_000;
    private static final String[] FATES = {"acked", "left", "changed", "settled"};

    private final String broker;
    private final String address;
    private final String topic;
    private final String group;
    private final boolean inOrder;
    private final DefaultMQProducer producer = new DefaultMQProducer("popping-producers");
    private final List<MessageExt> unsettled = new ArrayList<>();

    private Popping(String[] arguments) throws Exception {
        broker = arguments[1];
        address = arguments[2];
        topic = arguments[3];
        group = arguments[4];
        inOrder = Boolean.parseBoolean(arguments[5]);
        producer.setNamesrvAddr(arguments[0]);
        producer.setSendMsgTimeout(PATIENCE_MILLIS);
        producer.setMqClientApiTimeout(PATIENCE_MILLIS);
        producer.start();
    }

    public static void main(String[] arguments) throws Exception {
        Popping popping = new Popping(arguments);
        System.out.println("ready");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split(" ");
            try {
                popping.run(words);
                System.out.println(words[0]);
            } catch (Exception error) {
                System.out.println("failed " + words[0] + ": " + error.toString().replace('\n', ' '));
            }
        }
        System.exit(0);
    }

    private void run(String[] words) throws Exception {
        switch (words[0]) {
            case "pop":
                pop(words[1], Integer.parseInt(words[2]), Long.parseLong(words[3]));
                break;
            case "settle":
                for (MessageExt message : unsettled) {
                    acknowledge(message);
                }
                unsettled.clear();
                break;
            case "drain":
                drain(Long.parseLong(words[1]));
                break;
            default:
                throw new IllegalArgumentException("there is no such command");
        }
    }

    private void pop(String run, int count, long invisible) throws Exception {
        for (int number = 0; number < count; number++) {
            String key = run + "-" + number;
            producer.send(new Message(topic, "Tag", key, key.getBytes(StandardCharsets.UTF_8)));
        }
        int done = 0;
        while (done < count) {
            for (MessageExt message : popped(invisible)) {
                String fate = FATES[done++ % FATES.length];
                System.out.println("popped " + message.getKeys() + ' ' + fate + ' ' + meet(fate, message, invisible));
            }
        }
    }

    private long meet(String fate, MessageExt message, long invisible) throws Exception {
        String[] info = ExtraInfoUtil.split(message.getProperty(MessageConst.PROPERTY_POP_CK));
        switch (fate) {
            case "acked":
                acknowledge(message);
                return 0;
            case "settled":
                unsettled.add(message);
                return 0;
            case "changed":
                AckResult result = changed(message, info, invisible);
                return result.getPopTime() + invisible;
            default:
                return ExtraInfoUtil.getPopTime(info) + ExtraInfoUtil.getInvisibleTime(info);
        }
    }

    private void drain(long millis) throws Exception {
        long end = System.currentTimeMillis() + millis;
        while (System.currentTimeMillis() < end) {
            for (MessageExt message : popped(DRAIN_INVISIBLE_MILLIS)) {
                System.out.println("drained " + message.getKeys() + ' ' + message.getReconsumeTimes() + ' '
                    + System.currentTimeMillis());
                acknowledge(message);
            }
        }
    }

    private List<MessageExt> popped(long invisible) throws Exception {
        PopMessageRequestHeader header = new PopMessageRequestHeader();
        header.setTopic(topic);
        header.setConsumerGroup(group);
        header.setQueueId(-1);
        header.setMaxMsgNums(BATCH);
        header.setInvisibleTime(invisible);
        header.setInitMode(FROM_FIRST);
        header.setExpType("TAG");
        header.setExp("*");
        header.setOrder(inOrder);
        header.setBornTime(System.currentTimeMillis());
        header.setPollTime(POLL_MILLIS);
        CompletableFuture<PopResult> answer = new CompletableFuture<>();
        api().popMessageAsync(broker, address, header, PATIENCE_MILLIS, new PopCallback() {
            @Override
            public void onSuccess(PopResult result) {
                answer.complete(result);
            }

            @Override
            public void onException(Throwable error) {
                answer.completeExceptionally(error);
            }
        });
        PopResult result = answer.get(PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
        return result.getMsgFoundList() == null ? List.of() : result.getMsgFoundList();
    }

    private void acknowledge(MessageExt message) throws Exception {
        String text = message.getProperty(MessageConst.PROPERTY_POP_CK);
        String[] info = ExtraInfoUtil.split(text);
        AckMessageRequestHeader header = new AckMessageRequestHeader();
        header.setTopic(ExtraInfoUtil.getRealTopic(info, message.getTopic(), group));
        header.setQueueId(ExtraInfoUtil.getQueueId(info));
        header.setOffset(ExtraInfoUtil.getQueueOffset(info));
        header.setConsumerGroup(group);
        header.setExtraInfo(text);
        Answer answer = new Answer();
        api().ackMessageAsync(address, PATIENCE_MILLIS, answer, header);
        answer.get();
    }

    private AckResult changed(MessageExt message, String[] info, long invisible) throws Exception {
        ChangeInvisibleTimeRequestHeader header = new ChangeInvisibleTimeRequestHeader();
        header.setTopic(ExtraInfoUtil.getRealTopic(info, message.getTopic(), group));
        header.setQueueId(ExtraInfoUtil.getQueueId(info));
        header.setOffset(ExtraInfoUtil.getQueueOffset(info));
        header.setConsumerGroup(group);
        header.setExtraInfo(message.getProperty(MessageConst.PROPERTY_POP_CK));
        header.setInvisibleTime(invisible);
        Answer answer = new Answer();
        api().changeInvisibleTimeAsync(broker, address, header, PATIENCE_MILLIS, answer);
        return answer.get();
    }

    private MQClientAPIImpl api() {
        return producer.getDefaultMQProducerImpl().getMqClientFactory().getMQClientAPIImpl();
    }

    private static final class Answer implements AckCallback {
        private final CompletableFuture<AckResult> result = new CompletableFuture<>();

        @Override
        public void onSuccess(AckResult ackResult) {
            result.complete(ackResult);
        }

        @Override
        public void onException(Throwable error) {
            result.completeExceptionally(error);
        }

        AckResult get() throws Exception {
            AckResult found = result.get(PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
            if (found.getStatus() != AckStatus.OK) {
                throw new IllegalStateException("not acknowledged: " + found);
            }
            return found;
        }
    }
}
